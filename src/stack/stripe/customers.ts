import type Stripe from "stripe";
import { z } from "zod";
import { type Account, find, findCustomer, idOf, newId } from "./account.ts";
import { attachCard } from "./cards.ts";
import { differences } from "./differences.ts";
import { created, newestFirst, page, paging, within } from "./pages-of-lists.ts";
import { list, metadata, orUnset, text } from "./parameters.ts";
import { type Route, route } from "./route.ts";
import { end } from "./subscription-changes.ts";

const address = z.record(z.string(), z.string());

const changeable = {
  email: orUnset(text),
  name: orUnset(text),
  description: orUnset(text),
  phone: orUnset(text),
  address: orUnset(address),
  metadata,
  invoice_settings: z.strictObject({ default_payment_method: text }),
  preferred_locales: list(text),
  tax_exempt: z.enum(["none", "exempt", "reverse"]),
};

export function customerRoutes(account: Account): Route[] {
  const { customers } = account.books;
  return [
    route("POST", "/customers", { ...changeable, payment_method: text }, (given) => {
      const { invoice_settings, payment_method, ...rest } = given;
      const made: Stripe.Customer = {
        id: newId("cus"),
        object: "customer",
        address: null,
        balance: 0,
        created: account.now(),
        currency: null,
        default_source: null,
        delinquent: false,
        description: null,
        discount: null,
        email: null,
        invoice_settings: {
          custom_fields: null,
          default_payment_method: null,
          footer: null,
          rendering_options: null,
        },
        livemode: false,
        metadata: {},
        name: null,
        phone: null,
        preferred_locales: [],
        shipping: null,
        tax_exempt: "none",
        test_clock: null,
      };
      Object.assign(made, rest);
      customers[made.id] = made;
      const card = invoice_settings?.default_payment_method ?? payment_method;
      if (card) {
        const attached = attachCard(account, made.id, card).id;
        if (invoice_settings) made.invoice_settings.default_payment_method = attached;
      }
      account.emit("customer.created", made);
      return made;
    }),
    route("GET", "/customers", { ...paging, ...created, email: text }, (given) =>
      page(
        newestFirst(customers).filter(
          (one): one is Stripe.Customer =>
            !one.deleted && (!given.email || one.email === given.email) && within(one.created, given.created),
        ),
        "/v1/customers",
        given,
      ),
    ),
    route("GET", "/customers/:id", {}, (_given, id) => find(customers, "customer", id)),
    route("POST", "/customers/:id", changeable, ({ invoice_settings, ...given }, id) => {
      const changed = findCustomer(account, id, "id");
      const before = structuredClone(changed);
      Object.assign(changed, given, { metadata: { ...changed.metadata, ...given.metadata } });
      if (invoice_settings) {
        changed.invoice_settings.default_payment_method = attachCard(
          account,
          id,
          invoice_settings.default_payment_method,
        ).id;
      }
      account.emit("customer.updated", changed, differences(before, changed));
      return changed;
    }),
    route("DELETE", "/customers/:id", {}, (_given, id) => {
      const gone = findCustomer(account, id, "id");
      for (const subscription of Object.values(account.books.subscriptions)) {
        const live = subscription.status !== "canceled" && subscription.status !== "incomplete_expired";
        if (live && idOf(subscription.customer) === id) end(account, subscription, "cancellation_requested");
      }
      const left: Stripe.DeletedCustomer = { id, object: "customer", deleted: true };
      customers[id] = left;
      account.emit("customer.deleted", gone);
      return left;
    }),
  ];
}
