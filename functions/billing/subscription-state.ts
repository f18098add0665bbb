import type Stripe from "stripe";

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

/** What a caller learns of the subscription after a change. Periods are the items': the plan's comes first. */
export function subscriptionState(
  { id, status, cancel_at_period_end, cancel_at, items }: Stripe.Subscription,
) {
  const end = items.data[0]?.current_period_end;
  return {
    id,
    status,
    cancel_at_period_end,
    cancel_at: cancel_at ? iso(cancel_at) : null,
    current_period_end: end ? iso(end) : null,
  };
}
