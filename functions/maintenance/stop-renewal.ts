import { dataOf } from "../_shared/database-errors.ts";
import { isMissing } from "../_shared/stripe-fetch.ts";
import { isOver } from "../_shared/stripe-objects.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Consumer } from "./consumer.ts";

/** Marks at Stripe what closing did, so that restoring takes back that alone, and no cancellation of somebody's own. */
const MARK = "nectar_closed";

/** A closed organization's subscription ends with its period; a restored one's goes on. */
export const stopRenewal = (account: StripeAccount): Consumer => ({
  kind: "billing.renewal",
  ready: () => account.configured,
  async consume({ organization_id }, _timeIsUp, admin) {
    const [found] = dataOf(await admin.rpc("billing_renewal", { p_organization_id: organization_id }));
    if (!found) return true;
    if (found.livemode !== account.livemode) throw new Error("the subscription is of Stripe's other mode");
    const stripe = await account.client();
    const subscription = await stripe.subscriptions.retrieve(found.stripe_subscription_id).catch(
      (error: unknown) => {
        if (!isMissing(error) || account.livemode) throw error;
      },
    );
    if (!subscription || isOver(subscription.status)) return true;
    const { id, cancel_at, cancel_at_period_end, items, metadata } = subscription;
    // A day that somebody chose within this period stays.
    const ends = cancel_at_period_end ||
      (cancel_at !== null && items.data.every((item) => cancel_at <= item.current_period_end));
    if (found.closed && !ends) {
      await stripe.subscriptions.update(id, { cancel_at_period_end: true, metadata: { [MARK]: "true" } });
    } else if (!found.closed && metadata[MARK]) {
      await stripe.subscriptions.update(id, { cancel_at_period_end: false, metadata: { [MARK]: "" } });
    }
    return true;
  },
});
