import type Stripe from "stripe";
import { z } from "zod";
import { type Account, find, newId } from "./account.ts";
import { invalid } from "./failure.ts";
import { newestFirst, page, paging } from "./pages-of-lists.ts";
import { required, text } from "./parameters.ts";
import { type Route, route } from "./route.ts";

/** What usage is counted by. An event's name leads to one active meter. */
export function meterRoutes(account: Account): Route[] {
  const { meters } = account.books;

  function activeMeter(event_name: string): Stripe.Billing.Meter | undefined {
    return Object.values(meters).find((one) => one.event_name === event_name && one.status === "active");
  }

  function refuseSecond(event_name: string): void {
    if (activeMeter(event_name)) {
      throw invalid(`There is an active meter with the event name \`${event_name}\`.`, "event_name");
    }
  }

  return [
    route(
      "POST",
      "/billing/meters",
      {
        display_name: text,
        event_name: text,
        default_aggregation: z.strictObject({ formula: z.enum(["sum", "count", "last"]) }),
        customer_mapping: z.strictObject({ type: z.literal("by_id"), event_payload_key: text }),
        value_settings: z.strictObject({ event_payload_key: text }),
      },
      (given) => {
        const event_name = required(given.event_name, "event_name");
        refuseSecond(event_name);
        const made: Stripe.Billing.Meter = {
          id: newId("mtr_test"),
          object: "billing.meter",
          created: account.now(),
          customer_mapping: given.customer_mapping ?? {
            event_payload_key: "stripe_customer_id",
            type: "by_id",
          },
          default_aggregation: required(given.default_aggregation, "default_aggregation"),
          display_name: required(given.display_name, "display_name"),
          event_name,
          event_time_window: null,
          livemode: false,
          status: "active",
          status_transitions: { deactivated_at: null },
          updated: account.now(),
          value_settings: given.value_settings ?? { event_payload_key: "value" },
        };
        meters[made.id] = made;
        return made;
      },
    ),
    route("GET", "/billing/meters", { ...paging, status: z.enum(["active", "inactive"]) }, (given) =>
      page(
        newestFirst(meters).filter(({ status }) => !given.status || status === given.status),
        "/v1/billing/meters",
        given,
      ),
    ),
    route("GET", "/billing/meters/:id", {}, (_given, id) => find(meters, "billing meter", id)),
    route("POST", "/billing/meters/:id", { display_name: text }, (given, id) =>
      Object.assign(find(meters, "billing meter", id), given, { updated: account.now() }),
    ),
    route("POST", "/billing/meters/:id/deactivate", {}, (_given, id) =>
      Object.assign(find(meters, "billing meter", id), {
        status: "inactive",
        status_transitions: { deactivated_at: account.now() },
      }),
    ),
    route("POST", "/billing/meters/:id/reactivate", {}, (_given, id) => {
      const meter = find(meters, "billing meter", id);
      if (meter.status !== "active") refuseSecond(meter.event_name);
      return Object.assign(meter, { status: "active", status_transitions: { deactivated_at: null } });
    }),
  ];
}
