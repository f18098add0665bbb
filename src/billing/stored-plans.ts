import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import type { Plan } from "./plan-file.ts";

/**
 * What the database has otherwise than the plan file, a line for each: `~ plan pro: limits.applications 25 → 30`. Its
 * prices are Stripe's and not looked at.
 *
 * @throws {Error} when the database cannot be read.
 */
export async function storedDifferences(supabase: SupabaseClient<Database>, plan: Plan): Promise<string[]> {
  const { data, error } = await supabase
    .from("plans")
    .select("*, plan_limits (key, value, overage)")
    .eq("key", plan.key)
    .maybeSingle();
  if (error) throw new Error(`plan ${plan.key} cannot be read: ${error.message}`);
  if (!data) return [`+ plan ${plan.key} in the database`];
  const stored = facts({ ...data, archived: data.archived_at !== null }, data.plan_limits);
  const wanted = facts(plan, limitsOf(plan));
  return [...new Set([...Object.keys(stored), ...Object.keys(wanted)])]
    .filter((name) => stored[name] !== wanted[name])
    .map((name) => `~ plan ${plan.key}: ${name} ${stored[name] ?? "default"} → ${wanted[name] ?? "default"}`);
}

/** A plan's limits as rows. */
export const limitsOf = ({ limits }: Pick<Plan, "limits">): Limit[] =>
  Object.entries(limits).map(([key, limit]) => ({
    key,
    ...(typeof limit === "object" && limit !== null ? limit : { value: limit, overage: false }),
  }));

type Limit = Pick<Database["public"]["Tables"]["plan_limits"]["Row"], "key" | "value" | "overage">;

type Words = Record<(typeof WORDS)[number], unknown>;
const WORDS = [
  "kind",
  "name",
  "description",
  "position",
  "features",
  "is_public",
  "archived",
  "seat_billing",
  "grace_days",
] as const;

const facts = (words: Words, limits: Limit[]): Record<string, string> => ({
  ...Object.fromEntries(WORDS.map((name) => [name, JSON.stringify(words[name])])),
  ...Object.fromEntries(
    limits.map(({ key, value, overage }) => [
      `limits.${key}`,
      `${value ?? "without limit"}${overage ? ", then billed" : ""}`,
    ]),
  ),
});
