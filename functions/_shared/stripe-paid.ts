import type Stripe from "stripe";

/** What was billed of a subscription since its period began. */
export interface Billed {
  /** All of it. */
  paid: boolean;
  /** When last, in seconds since 1970. */
  at: number;
}

/**
 * Stripe credits what is left of a period also when nobody has paid for it, and from any moment in it that it is told:
 * whoever gives credit asks first. See https://docs.stripe.com/billing/subscriptions/credit-proration-deferral
 */
export async function billedOf(stripe: Stripe, { id, items }: Stripe.Subscription): Promise<Billed> {
  const began = Math.min(...items.data.map((item) => item.current_period_start));
  const { data } = await stripe.invoices.list({ subscription: id, created: { gte: began }, limit: 100 });
  // One that was revised is void, and another stands for it.
  const paid = data.every(({ status, latest_revision }) => status === "paid" || latest_revision);
  return { paid, at: data[0]?.created ?? began };
}
