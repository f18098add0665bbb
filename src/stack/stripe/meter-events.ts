import { randomUUID } from "node:crypto";
import type Stripe from "stripe";
import { z } from "zod";
import { type Account, findCustomer } from "./account.ts";
import { invalid } from "./failure.ts";
import { required, text, whole } from "./parameters.ts";
import { DAY, MINUTE } from "./periods.ts";
import { type Route, route } from "./route.ts";

/** Usage is taken and kept, also of what no meter counts: Stripe tells of that later, by an event. */
export function meterEventRoutes(account: Account): Route[] {
  const { meterEvents } = account.books;
  return [
    route(
      "POST",
      "/billing/meter_events",
      { event_name: text, payload: z.record(z.string(), z.string()), identifier: text, timestamp: whole },
      (given) => {
        const now = account.now();
        const payload = required(given.payload, "payload");
        const at = given.timestamp ?? now;
        const identifier = given.identifier ?? randomUUID();
        const known = meterEvents[identifier];
        if (known && known.created > now - DAY) {
          // As Stripe says it: without a code, and without the parameter.
          throw invalid(`An event already exists with identifier ${identifier}.`);
        }
        if (at < now - 35 * DAY || at > now + 5 * MINUTE) {
          throw invalid(
            "The timestamp must be within the past 35 days or up to 5 minutes in the future.",
            "timestamp",
          );
        }
        findCustomer(
          account,
          required(payload["stripe_customer_id"], "payload[stripe_customer_id]"),
          "payload",
        );
        const event: Stripe.Billing.MeterEvent = {
          object: "billing.meter_event",
          created: now,
          event_name: required(given.event_name, "event_name"),
          identifier,
          livemode: false,
          payload,
          timestamp: at,
        };
        meterEvents[identifier] = event;
        return event;
      },
    ),
  ];
}
