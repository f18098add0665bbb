import type Stripe from "stripe";
import { z } from "zod";
import { type Account, findCustomer, newId } from "./account.ts";
import { required, text } from "./parameters.ts";
import { type Route, route } from "./route.ts";

/** Sessions of the customer portal: its page is `portal-page.ts`'s. */
export function portalRoutes(account: Account): Route[] {
  return [
    route(
      "POST",
      "/billing_portal/sessions",
      {
        customer: text,
        return_url: text,
        configuration: text,
        locale: text,
        flow_data: z.record(z.string(), z.unknown()),
      },
      (given) => {
        const id = newId("bps");
        const session: Stripe.BillingPortal.Session = {
          id,
          object: "billing_portal.session",
          configuration: given.configuration ?? "bpc_standin",
          created: account.now(),
          customer: findCustomer(account, required(given.customer, "customer")).id,
          customer_account: null,
          flow: null,
          livemode: false,
          locale: null,
          on_behalf_of: null,
          return_url: given.return_url ?? null,
          url: `${account.url}/portal/${id}`,
        };
        account.books.portalSessions[id] = session;
        return session;
      },
    ),
  ];
}
