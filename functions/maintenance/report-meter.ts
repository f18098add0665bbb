import type { SupabaseContext } from "@supabase/server";
import { z } from "zod";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Consumer } from "./consumer.ts";

type Admin = SupabaseContext<Database>["supabaseAdmin"];

const HOUR = 3_600_000;
/** Stripe knows an identifier again for 24 hours at least: whoever tries later may be counted twice. */
const KNOWN_AGAIN = 23 * HOUR;
/** Stripe takes events of the past 35 days. */
const OLDEST = 34 * 24 * HOUR;

const report = z.object({
  identifier: z.guid(),
  metric: z.string(),
  /** As of when: the hour's beginning, or later where its plan began later. */
  at: z.iso.datetime({ offset: true }),
  quantity: z.string().regex(/^\d+$/),
  reported_at: z.iso.datetime({ offset: true }),
});

/**
 * Reports an hour of metered usage to Stripe's meter whose event name is the metric. It may be sent again after a
 * failure: by its identifier Stripe counts it once. Without an idempotency key of ours, by which it would repeat the failure
 * for a day.
 */
export const reportMeter = (account: StripeAccount, clock: () => number = Date.now): Consumer => ({
  kind: "stripe.meter",
  ready: () => account.configured,
  async consume({ organization_id, payload, attempts }, _timeIsUp, admin: Admin) {
    const { identifier, metric, at, quantity, reported_at } = report.parse(payload);
    if (attempts > 1 && clock() - Date.parse(reported_at) > KNOWN_AGAIN) {
      throw new Error("too late to try again: compare with the meter at Stripe, then set reported_at anew");
    }
    const [customer] = dataOf(await admin.rpc("stripe_customer", { p_organization_id: organization_id }));
    // Who has no customer has no subscription any more: there is nobody to bill.
    if (!customer) return true;
    if (customer.livemode !== account.livemode) throw new Error("the customer is of Stripe's other mode");
    const stripe = await account.client();
    try {
      await stripe.billing.meterEvents.create({
        event_name: metric,
        identifier,
        timestamp: Math.floor(Math.max(Date.parse(at), clock() - OLDEST) / 1000),
        payload: { stripe_customer_id: customer.customer_id, value: quantity },
      });
    } catch (error) {
      if (!isKnownAlready(error)) throw error;
    }
    return true;
  },
});

// Stripe tells it by the sentence alone; the code is that of its newer API.
const isKnownAlready = (error: unknown) =>
  error instanceof Error &&
  (/event already exists with identifier/i.test(error.message) ||
    ("code" in error && error.code === "duplicate_meter_event"));
