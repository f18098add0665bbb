import type { SupabaseClient } from "@supabase/supabase-js";
import type Stripe from "stripe";
import type { Database, Json } from "../../types/database.ts";
import { catalogChanges, pricesOf, productId } from "./catalog.ts";
import type { Plan } from "./plan-file.ts";

export interface SyncOptions {
  stripe: Stripe;
  /** With the secret key. */
  supabase: SupabaseClient<Database>;
  plans: Plan[];
  livemode: boolean;
  /** Only tell. */
  dryRun: boolean;
  /** Is told each difference. */
  say: (line: string) => void;
}

/**
 * Brings Stripe's products and prices, then the database's plans, to what the plan file says. What is right already stays
 * untouched; called again, it does nothing.
 *
 * @returns How many differences there were.
 */
export async function syncPlans(options: SyncOptions): Promise<number> {
  const { stripe, supabase, plans, dryRun, say } = options;
  let differences = 0;
  for (const plan of plans) {
    const changes = await catalogChanges(stripe, plan);
    for (const change of changes) {
      say(change.line);
      if (!dryRun) await change.make();
    }
    differences += changes.length;
    if (dryRun) continue;
    const { data: changed, error } = await supabase.rpc("sync_plan", { p_plan: await rowOf(plan, options) });
    if (error) throw new Error(`plan ${plan.key}: ${error.message}`);
    if (!changed) continue;
    say(`~ database: plan ${plan.key}`);
    differences++;
  }
  for (const key of await strangers(options)) {
    say(`! plan ${key} is in the database alone: put it into the file, archived if it is not sold any more`);
  }
  return differences;
}

async function strangers({ supabase, plans }: Pick<SyncOptions, "supabase" | "plans">): Promise<string[]> {
  const { data, error } = await supabase.from("plans").select("key").is("archived_at", null);
  if (error) throw new Error(`plans cannot be read: ${error.message}`);
  return data.map(({ key }) => key).filter((key) => !plans.some((plan) => plan.key === key));
}

/** The plan as the database keeps it, with the ids that Stripe gave. */
async function rowOf(plan: Plan, { stripe, livemode }: Pick<SyncOptions, "stripe" | "livemode">) {
  const { limits, prices, ...words } = plan;
  const sold = prices.length > 0 ? await pricesOf(stripe, productId(plan)) : [];
  return {
    ...words,
    stripe_product_id: prices.length > 0 ? productId(plan) : null,
    limits: Object.entries(limits).map(([key, limit]) => ({
      key,
      ...(typeof limit === "object" && limit !== null ? limit : { value: limit, overage: false }),
    })),
    prices: sold
      .filter(({ recurring }) => recurring)
      .map((price) => ({
        stripe_price_id: price.id,
        interval: price.recurring?.interval,
        currency: price.currency,
        unit_amount: price.unit_amount,
        lookup_key: price.lookup_key,
        active: price.active,
        livemode,
      })),
  } as Json;
}
