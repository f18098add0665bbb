import type { SupabaseContext } from "@supabase/server";
import type Stripe from "stripe";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { isMissing } from "../_shared/stripe-fetch.ts";
import { withAllItems } from "../_shared/stripe-objects.ts";
import { billedOf } from "../_shared/stripe-paid.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Consumer } from "./consumer.ts";

type Admin = SupabaseContext<Database>["supabaseAdmin"];

const isPaid = ({ status }: Stripe.Subscription) => status === "active" || status === "trialing";

/**
 * Takes back what was bought while there was a subscription: it ends at once, and what is left of its period is the
 * customer's credit, which pays their next invoices. Only what our own page sold, and only beside one that is paid for:
 * anything else is somebody's arrangement, and stays in `billing_problems()`.
 */
export const takeBackSecond = (account: StripeAccount): Consumer => ({
  kind: "billing.second",
  ready: () => account.configured,
  async consume({ organization_id }, _timeIsUp, admin: Admin) {
    // Those that are paid for, the current one first.
    const [current, ...others] = dataOf(
      await admin.from("subscriptions").select("stripe_subscription_id, is_current, livemode")
        .eq("organization_id", organization_id).eq("rank", 1).order("is_current", { ascending: false }),
    );
    if (!current?.is_current || others.length === 0) return true;
    if (current.livemode !== account.livemode) throw new Error("the subscription is of Stripe's other mode");
    const stripe = await account.client();
    const kept = await find(stripe, current.stripe_subscription_id);
    // What became of it, an event tells, and asks again.
    if (!kept || !isPaid(kept)) return true;
    for (const { stripe_subscription_id } of others) {
      const second = await find(stripe, stripe_subscription_id);
      const ours = second?.metadata["organization_id"] === organization_id &&
        second.customer === kept.customer;
      if (!second || !ours || !isPaid(second)) continue;
      // A debit is under way for days, and the subscription active meanwhile: what comes of it, an event tells, and asks again.
      if ((await billedOf(stripe, second)).paid) await takeBack(stripe, second);
    }
    return true;
  },
});

/** Done twice, the second time finds nothing to do. */
async function takeBack(stripe: Stripe, second: Stripe.Subscription): Promise<void> {
  const { id, items } = await withAllItems(stripe, second);
  const metered = items.data.filter(({ price }) => price.recurring?.usage_type === "metered");
  // Usage is the customer's, whichever subscription it is billed by: the one that stays bills it.
  if (metered.length > 0 && metered.length < items.data.length) {
    await stripe.subscriptions.update(id, {
      items: metered.map((item) => ({ id: item.id, deleted: true })),
      proration_behavior: "none",
    });
  }
  await stripe.subscriptions.cancel(id, { prorate: true, invoice_now: true }).catch(unlessMissing);
}

const find = (stripe: Stripe, id: string) => stripe.subscriptions.retrieve(id).catch(unlessMissing);

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
