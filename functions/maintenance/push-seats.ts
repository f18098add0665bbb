import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { billedOf } from "../_shared/stripe-paid.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Consumer } from "./consumer.ts";

type Admin = SupabaseContext<Database>["supabaseAdmin"];

/**
 * Tells Stripe how many members an organization has, where its plan is billed by member. What comes of it, the webhook
 * tells us. Telling the same number again changes nothing.
 */
export const pushSeats = (account: StripeAccount): Consumer => ({
  kind: "billing.seats",
  ready: () => account.configured,
  async consume({ organization_id }, _timeIsUp, admin: Admin) {
    const [seats] = dataOf(await admin.rpc("billing_seats", { p_organization_id: organization_id }));
    if (!seats || seats.members === seats.quantity) return true;
    if (seats.livemode !== account.livemode) throw new Error("the subscription is of Stripe's other mode");
    const stripe = await account.client();
    const prorated = seats.members > seats.quantity ||
      (await billedOf(stripe, await stripe.subscriptions.retrieve(seats.stripe_subscription_id))).paid;
    await stripe.subscriptions.update(seats.stripe_subscription_id, {
      items: [{ id: seats.stripe_item_id, quantity: seats.members }],
      proration_behavior: prorated ? "create_prorations" : "none",
    });
    return true;
  },
});
