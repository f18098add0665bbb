import type Stripe from "stripe";
import type { Meters } from "./meters.ts";
import { lookupKey, type MeteredPrice, meteredPrices, type Plan, type PlanPrice } from "./plan-file.ts";

/** One difference between the plan file and Stripe, and how to remove it. */
export interface Change {
  /** For the person who decides: `+ price pro_month_eur 19.00 EUR`. */
  line: string;
  make(): Promise<unknown>;
}

/** A price as it should be. */
interface Wanted {
  lookup_key: string;
  /** What it costs, for people. */
  cost: string;
  is(price: Stripe.Price): boolean;
  /** What makes it, beside its key and product. Asked for when all meters are there. */
  params(): Omit<Stripe.PriceCreateParams, "product" | "lookup_key">;
}

/** The product's id at Stripe: chosen by us, so that it is found again. */
const productId = ({ key }: Pick<Plan, "key">) => `nectar_${key}`;

/**
 * What must change at Stripe so that it sells this plan. Nothing is deleted there: prices that are not sold any more
 * become inactive, and stay with those who have them. See https://docs.stripe.com/products-prices/manage-prices
 */
export async function catalogChanges(stripe: Stripe, plan: Plan, meters: Meters): Promise<Change[]> {
  const id = productId(plan);
  const product = await productOf(stripe, plan);
  if (!product && plan.prices.length === 0) return [];

  const existing = product ? await pricesOf(stripe, id) : [];
  const wanted = plan.archived
    ? []
    : plan.prices.flatMap((price) => wantedPrices(stripe, plan, price, meters));
  const changes = [...productChanges(stripe, plan, product)];

  for (const { lookup_key, cost, is, params } of wanted) {
    const same = existing.find((candidate) => is(candidate) && candidate.lookup_key === lookup_key);
    if (same?.active) continue;
    changes.push(
      same
        ? { line: `~ price ${lookup_key}: active again`, make: () => setActive(stripe, same.id, true) }
        : {
            line: `+ price ${lookup_key} ${cost}`,
            make: () =>
              stripe.prices.create({ product: id, ...params(), lookup_key, transfer_lookup_key: true }),
          },
    );
  }
  for (const price of existing.filter(({ active }) => active)) {
    const kept = wanted.some(({ is, lookup_key }) => is(price) && price.lookup_key === lookup_key);
    if (kept) continue;
    changes.push({
      line: `- price ${price.lookup_key ?? price.id} ${costOf(price)}: no longer sold`,
      make: () => setActive(stripe, price.id, false),
    });
  }
  return changes;
}

function* productChanges(stripe: Stripe, plan: Plan, product: Stripe.Product | undefined): Generator<Change> {
  const { key, name, description, archived } = plan;
  const id = productId(plan);
  // Stripe takes an empty description only as a removal.
  const text = description || name;
  if (!product) {
    yield {
      line: `+ product ${id} "${name}"`,
      make: () => stripe.products.create({ id, name, description: text, metadata: { plan_key: key } }),
    };
  } else if (product.name !== name || product.description !== text || product.active === archived) {
    yield {
      line: `~ product ${id} "${product.name}" → "${name}"${archived ? ": archived" : ""}`,
      make: () => stripe.products.update(id, { name, description: text, active: !archived }),
    };
  }
}

/** The product of a plan; undefined while there is none. */
export const productOf = (stripe: Stripe, plan: Pick<Plan, "key">): Promise<Stripe.Product | undefined> =>
  stripe.products.retrieve(productId(plan)).catch(unlessMissing);

/** All prices of a product, active or not, with their tiers. */
export async function pricesOf(stripe: Stripe, product: string): Promise<Stripe.Price[]> {
  const prices: Stripe.Price[] = [];
  const pages = stripe.prices.list({ product, limit: 100, expand: ["data.tiers"] });
  for await (const price of pages) prices.push(price);
  return prices;
}

const setActive = (stripe: Stripe, id: string, active: boolean) => stripe.prices.update(id, { active });

const wantedPrices = (stripe: Stripe, plan: Plan, price: PlanPrice, meters: Meters): Wanted[] => [
  licensed(lookupKey(plan, price), price),
  ...meteredPrices(plan, price).map((one) =>
    metered(stripe, `${lookupKey(plan, price)}_${one.metric}`, price, one, meters),
  ),
];

function licensed(lookup_key: string, { interval, currency, unit_amount }: PlanPrice): Wanted {
  return {
    lookup_key,
    cost: money(unit_amount, currency),
    is: ({ recurring, ...candidate }) =>
      isEach(recurring, interval, "licensed") &&
      candidate.currency === currency &&
      candidate.unit_amount === unit_amount,
    params: () => ({ currency, unit_amount, recurring: { interval } }),
  };
}

function metered(
  stripe: Stripe,
  lookup_key: string,
  { interval, currency }: PlanPrice,
  { metric, unit_amount, included }: MeteredPrice,
  meters: Meters,
): Wanted {
  const unit_amount_decimal = stripe.Decimal.from(unit_amount);
  return {
    lookup_key,
    cost: `${money(Number(unit_amount), currency)} each${included ? ` beyond ${included}` : ""}`,
    is({ recurring, ...candidate }) {
      const rate = meteredRate(candidate);
      return (
        isEach(recurring, interval, "metered") &&
        recurring?.meter === meters.get(metric)?.id &&
        candidate.currency === currency &&
        rate?.unit_amount === unit_amount &&
        rate.included === included
      );
    },
    params: () => ({
      currency,
      recurring: { interval, usage_type: "metered", meter: meters.get(metric)?.id as string },
      // All usage is reported: what the plan includes is a tier without charge.
      ...(included
        ? {
            billing_scheme: "tiered",
            tiers_mode: "graduated",
            tiers: [
              { up_to: included, unit_amount: 0 },
              { up_to: "inf", unit_amount_decimal },
            ],
          }
        : { unit_amount_decimal }),
    }),
  };
}

const isEach = (
  recurring: Stripe.Price.Recurring | null,
  interval: string,
  usageType: Stripe.Price.Recurring.UsageType,
) => recurring?.interval === interval && recurring.interval_count === 1 && recurring.usage_type === usageType;

/** What a price by usage costs; undefined for one of another shape, which somebody made by hand. */
export function meteredRate({
  tiers,
  tiers_mode,
  unit_amount_decimal,
  transform_quantity,
}: Pick<Stripe.Price, "tiers" | "tiers_mode" | "unit_amount_decimal" | "transform_quantity">):
  | Omit<MeteredPrice, "metric">
  | undefined {
  if (transform_quantity) return undefined;
  if (unit_amount_decimal !== null) return { unit_amount: String(unit_amount_decimal), included: 0 };
  const [free, beyond, ...more] = tiers ?? [];
  const isOurs =
    tiers_mode === "graduated" &&
    more.length === 0 &&
    free?.up_to != null &&
    Number(free.unit_amount_decimal) === 0 &&
    beyond?.up_to === null &&
    !free.flat_amount &&
    !beyond.flat_amount;
  if (!isOurs) return undefined;
  return { unit_amount: String(beyond.unit_amount_decimal), included: free.up_to as number };
}

function costOf(price: Stripe.Price): string {
  if (price.recurring?.usage_type !== "metered") return money(price.unit_amount ?? 0, price.currency);
  const rate = meteredRate(price);
  return rate
    ? `${money(Number(rate.unit_amount), price.currency)} each beyond ${rate.included}`
    : "by usage";
}

// Currencies differ in how many digits they have: the runtime knows.
function money(amount: number, currency: string): string {
  const style = { style: "currency", currency, currencyDisplay: "code" } as const;
  const digits = new Intl.NumberFormat("en", style).resolvedOptions().maximumFractionDigits ?? 2;
  const format = new Intl.NumberFormat("en", { ...style, maximumFractionDigits: digits + 12 });
  return format.format(amount / 10 ** digits).replace(/\u00a0/g, " ");
}

function unlessMissing(error: { code?: string }): undefined {
  if (error.code !== "resource_missing") throw error;
}
