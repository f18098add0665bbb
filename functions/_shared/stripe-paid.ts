import type Stripe from "stripe";

/**
 * True when all is paid that was billed since the subscription's period began. Stripe credits what is left of a period also
 * when nobody has paid for it: whoever gives credit asks first.
 * See https://docs.stripe.com/billing/subscriptions/credit-proration-deferral
 */
export async function isPaidFor(stripe: Stripe, id: string): Promise<boolean> {
  const { items } = await stripe.subscriptions.retrieve(id);
  const began = Math.min(...items.data.map((item) => item.current_period_start));
  const { data } = await stripe.invoices.list({ subscription: id, created: { gte: began }, limit: 100 });
  return data.every(({ status }) => status === "paid");
}
