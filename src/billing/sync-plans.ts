import type { SupabaseClient } from "@supabase/supabase-js";
import type Stripe from "stripe";
import type { Database, Json } from "../../types/database.ts";
import { type Change, catalogChanges, meteredRate, pricesOf, productOf } from "./catalog.ts";
import { type Meters, meterChanges } from "./meters.ts";
import type { Plan } from "./plan-file.ts";
import { limitsOf, storedDifferences } from "./stored-plans.ts";

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
 * Brings Stripe's meters, products and prices, then the database's plans, to what the plan file says. What is right already stays
 * untouched; called again, it does nothing.
 *
 * @returns How many differences there were.
 */
export async function syncPlans(options: SyncOptions): Promise<number> {
  const { stripe, supabase, plans, dryRun, say } = options;
  const make = async (changes: Change[]) => {
    for (const change of changes) {
      say(change.line);
      if (!dryRun) await change.make();
    }
    return changes.length;
  };
  const { meters, changes } = await meterChanges(stripe, plans);
  let differences = await make(changes);
  for (const plan of plans) {
    const made = await make(await catalogChanges(stripe, plan, meters));
    const stored = await storedDifferences(supabase, plan);
    for (const line of stored) say(line);
    differences += made + stored.length;
    if (dryRun) continue;
    const { data: changed, error } = await supabase.rpc("sync_plan", {
      p_plan: await rowOf(plan, options, meters),
    });
    if (error) throw new Error(`plan ${plan.key}: ${error.message}`);
    if (!changed || stored.length > 0) continue;
    say(`~ plan ${plan.key}: its prices in the database`);
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

/** Others that somebody made at Stripe (by the week, in tiers) lead to the plan by their product alone. */
const isSellable = ({ recurring, unit_amount }: Stripe.Price, metric: string | undefined) =>
  (recurring?.usage_type === "licensed" ? unit_amount !== null : metric !== undefined) &&
  recurring?.interval_count === 1 &&
  (recurring.interval === "month" || recurring.interval === "year");

/** The plan as the database keeps it, with the ids that Stripe gave. */
async function rowOf(
  plan: Plan,
  { stripe, livemode }: Pick<SyncOptions, "stripe" | "livemode">,
  meters: Meters,
) {
  const { limits: _limits, prices: _prices, ...words } = plan;
  const product = await productOf(stripe, plan);
  const sold = product ? await pricesOf(stripe, product.id) : [];
  return {
    ...words,
    stripe_product_id: product?.id ?? null,
    limits: limitsOf(plan),
    prices: sold.flatMap((price) => {
      const metric = metricOf(price, meters);
      if (!isSellable(price, metric)) return [];
      const rate = metric === undefined ? undefined : meteredRate(price);
      return {
        stripe_price_id: price.id,
        interval: price.recurring?.interval,
        currency: price.currency,
        unit_amount: metric === undefined ? price.unit_amount : null,
        metric: metric ?? null,
        unit_rate: rate?.unit_amount ?? null,
        included: rate?.included ?? null,
        lookup_key: price.lookup_key,
        active: price.active,
        livemode,
      };
    }),
  } as Json;
}

/** What a price by usage counts; undefined for one that is no such price, or whose meter is not active. */
const metricOf = ({ recurring }: Stripe.Price, meters: Meters) =>
  recurring?.usage_type === "metered"
    ? [...meters.values()].find(({ id }) => id === recurring.meter)?.event_name
    : undefined;
