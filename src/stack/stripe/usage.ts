import type Stripe from "stripe";
import { type Account, find, idOf } from "./account.ts";
import type { Period } from "./subscription-items.ts";

export const isMetered = ({ price }: Pick<Stripe.SubscriptionItem, "price">): boolean =>
  price.recurring?.usage_type === "metered";

/** What a customer used of a metered price's meter, from `start` on and before `end`. */
export function usageOf(
  account: Account,
  customer: string,
  price: Stripe.Price,
  { start, end }: Period,
): number {
  const meter = find(account.books.meters, "billing meter", idOf(price.recurring?.meter));
  const { event_payload_key: customerKey } = meter.customer_mapping;
  const { event_payload_key: valueKey } = meter.value_settings;
  const values = Object.values(account.books.meterEvents)
    .filter(
      ({ event_name, payload, timestamp }) =>
        event_name === meter.event_name &&
        payload[customerKey] === customer &&
        timestamp >= start &&
        timestamp < end,
    )
    .toSorted((a, b) => a.timestamp - b.timestamp)
    .map(({ payload }) => Number(payload[valueKey]));
  const { formula } = meter.default_aggregation;
  if (formula === "count") return values.length;
  if (formula === "last") return values.at(-1) ?? 0;
  return values.reduce((sum, value) => sum + value, 0);
}

/** What so much usage costs, in whole smallest units. */
export function costOf(account: Account, priceId: string, usage: number): number {
  const price = find(account.books.prices, "price", priceId);
  if (!price.tiers) return Math.round(Number(price.unit_amount_decimal ?? 0) * usage);
  let below = 0;
  let cost = 0;
  for (const { up_to, unit_amount_decimal, flat_amount } of price.tiers) {
    if (usage <= below && below > 0) break;
    const within = Math.min(usage, up_to ?? Number.POSITIVE_INFINITY) - below;
    cost += within * Number(unit_amount_decimal ?? 0) + (flat_amount ?? 0);
    below = up_to ?? usage;
  }
  return Math.round(cost);
}
