import type Stripe from "stripe";
import { type Account, find, findCustomer, idOf, newId } from "./account.ts";
import { missing } from "./failure.ts";
import { page, paging } from "./pages-of-lists.ts";
import { required, text } from "./parameters.ts";
import { type Route, route } from "./route.ts";

/** Stripe's names of test cards: one that pays, one that can be saved and then fails at every charge. */
export const CARD_THAT_PAYS = "pm_card_visa";
export const CARD_THAT_FAILS = "pm_card_chargeCustomerFail";
const lastDigits: Record<string, string> = { [CARD_THAT_PAYS]: "4242", [CARD_THAT_FAILS]: "0341" };

export function attachCard(account: Account, customer: string, name: string): Stripe.PaymentMethod {
  const last4 = lastDigits[name];
  const known = account.books.paymentMethods[name];
  if (known) {
    known.customer = customer;
    return known;
  }
  if (!last4) throw missing("PaymentMethod", name, "payment_method");
  const card: Stripe.PaymentMethod = {
    id: newId("pm"),
    object: "payment_method",
    billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
    card: {
      brand: "visa",
      checks: null,
      country: "US",
      display_brand: "visa",
      exp_month: 12,
      exp_year: new Date(account.now() * 1000).getUTCFullYear() + 3,
      funding: "credit",
      generated_from: null,
      last4,
      networks: null,
      regulated_status: null,
      three_d_secure_usage: null,
      wallet: null,
    },
    created: account.now(),
    customer,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: "card",
  };
  account.books.paymentMethods[card.id] = card;
  account.emit("payment_method.attached", card);
  return card;
}

/** Makes it what the customer's invoices are paid with. */
export function setDefaultCard(account: Account, customer: Stripe.Customer, card: string): void {
  const before = { ...customer.invoice_settings };
  customer.invoice_settings = { ...before, default_payment_method: card };
  account.emit("customer.updated", customer, { invoice_settings: before });
}

/** Whether a charge goes through, and whether there is anything to charge at all. */
export function cardOf(account: Account, subscription: Stripe.Subscription): "pays" | "fails" | "none" {
  const customer = account.books.customers[idOf(subscription.customer)];
  const id =
    idOf(subscription.default_payment_method) ||
    (customer && !customer.deleted ? idOf(customer.invoice_settings.default_payment_method) : "");
  const card = account.books.paymentMethods[id];
  if (!card) return "none";
  return card.card?.last4 === lastDigits[CARD_THAT_FAILS] ? "fails" : "pays";
}

export function cardRoutes(account: Account): Route[] {
  const { paymentMethods } = account.books;
  return [
    route("POST", "/payment_methods/:id/attach", { customer: text }, (given, id) =>
      attachCard(account, findCustomer(account, required(given.customer, "customer")).id, id),
    ),
    route("GET", "/payment_methods/:id", {}, (_given, id) => find(paymentMethods, "PaymentMethod", id)),
    route("GET", "/customers/:id/payment_methods", { ...paging, type: text }, (given, id) =>
      page(
        Object.values(paymentMethods).filter(({ customer }) => customer === id),
        `/v1/customers/${id}/payment_methods`,
        given,
      ),
    ),
  ];
}
