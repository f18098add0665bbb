import type Stripe from "stripe";
import { lookupKey, type Plan, type PlanPrice } from "./plan-file.ts";

/** One difference between the plan file and Stripe, and how to remove it. */
export interface Change {
  /** For the person who decides: `+ price pro_month_eur 19.00 EUR`. */
  line: string;
  make(): Promise<unknown>;
}

/** The product's id at Stripe: chosen by us, so that it is found again. */
const productId = ({ key }: Pick<Plan, "key">) => `nectar_${key}`;

/**
 * What must change at Stripe so that it sells this plan. Nothing is deleted there: prices that are not sold any more
 * become inactive, and stay with those who have them. See https://docs.stripe.com/products-prices/manage-prices
 */
export async function catalogChanges(stripe: Stripe, plan: Plan): Promise<Change[]> {
  const id = productId(plan);
  const product = await productOf(stripe, plan);
  if (!product && plan.prices.length === 0) return [];

  const existing = product ? await pricesOf(stripe, id) : [];
  const wanted = plan.archived ? [] : plan.prices;
  const changes = [...productChanges(stripe, plan, product)];

  for (const price of wanted) {
    const lookup_key = lookupKey(plan, price);
    const same = existing.find(
      (candidate) => isSame(candidate, price) && candidate.lookup_key === lookup_key,
    );
    if (same?.active) continue;
    changes.push(
      same
        ? { line: `~ price ${lookup_key}: active again`, make: () => setActive(stripe, same.id, true) }
        : {
            line: `+ price ${lookup_key} ${money(price)}`,
            make: () =>
              stripe.prices.create({
                product: id,
                currency: price.currency,
                unit_amount: price.unit_amount,
                recurring: { interval: price.interval },
                lookup_key,
                transfer_lookup_key: true,
              }),
          },
    );
  }
  for (const price of existing.filter(({ active }) => active)) {
    const kept = wanted.some((one) => isSame(price, one) && price.lookup_key === lookupKey(plan, one));
    if (kept) continue;
    changes.push({
      line: `- price ${price.lookup_key ?? price.id} ${money(price)}: no longer sold`,
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

/** All prices of a product, active or not. */
export async function pricesOf(stripe: Stripe, product: string): Promise<Stripe.Price[]> {
  const prices: Stripe.Price[] = [];
  for await (const price of stripe.prices.list({ product, limit: 100 })) prices.push(price);
  return prices;
}

const setActive = (stripe: Stripe, id: string, active: boolean) => stripe.prices.update(id, { active });

const isSame = ({ recurring, ...price }: Stripe.Price, { interval, currency, unit_amount }: PlanPrice) =>
  recurring?.interval === interval &&
  recurring.interval_count === 1 &&
  recurring.usage_type === "licensed" &&
  price.currency === currency &&
  price.unit_amount === unit_amount;

// Currencies differ in how many digits they have: the runtime knows.
function money({ currency, unit_amount }: { currency: string; unit_amount: number | null }): string {
  const format = new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "code" });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format((unit_amount ?? 0) / 10 ** digits).replace(/\u00a0/g, " ");
}

function unlessMissing(error: { code?: string }): undefined {
  if (error.code !== "resource_missing") throw error;
}
