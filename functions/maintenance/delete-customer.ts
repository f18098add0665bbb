import { z } from "zod";
import { isMissing, isOurs } from "../_shared/stripe-fetch.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Consumer } from "./consumer.ts";

const payload = z.object({ customer_id: z.string(), livemode: z.boolean() });

/**
 * Deletes the customer of an organization that was purged, which ends its subscriptions: nobody is charged for what is
 * gone. Its invoices stay at Stripe, as the books need them. See https://docs.stripe.com/api/customers/delete
 */
export const deleteCustomer = (account: StripeAccount): Consumer => ({
  kind: "billing.customer_left",
  ready: () => account.configured,
  async consume(entry) {
    const { customer_id, livemode } = payload.parse(entry.payload);
    if (livemode !== account.livemode) throw new Error("the customer is of Stripe's other mode");
    const stripe = await account.client();
    await stripe.customers.del(customer_id).catch(async (error: unknown) => {
      if (!isMissing(error) || !await isOurs(stripe, customer_id, livemode)) throw error;
    });
    return true;
  },
});
