import type Stripe from "stripe";
import { z } from "zod";
import { type Account, find, findCustomer, newId } from "./account.ts";
import { attachCard, setDefaultCard } from "./cards.ts";
import { invalid } from "./failure.ts";
import { created, newestFirst, page, paging } from "./pages-of-lists.ts";
import { flag, list, metadata, required, text, whole } from "./parameters.ts";
import { DAY } from "./periods.ts";
import { type Route, route } from "./route.ts";
import { recurringPrice } from "./subscription-items.ts";
import { trialSettings } from "./subscription-routes.ts";
import { createSubscription } from "./subscriptions.ts";
import { isMetered } from "./usage.ts";

const lineItem = z.strictObject({
  price: text,
  quantity: whole.optional(),
  adjustable_quantity: z.strictObject({ enabled: flag, minimum: whole, maximum: whole }).partial().optional(),
});
const address = z.strictObject({ address: text, name: text, shipping: text }).partial();

/** Sessions of hosted checkout for subscriptions: their page is `checkout-page.ts`'s. */
export function checkoutRoutes(account: Account): Route[] {
  const { checkoutSessions, checkoutOrders, prices } = account.books;
  const get = (id: string) => find(checkoutSessions, "checkout session", id);
  return [
    route(
      "POST",
      "/checkout/sessions",
      {
        mode: z.literal("subscription"),
        customer: text,
        line_items: list(lineItem),
        success_url: text,
        cancel_url: text,
        client_reference_id: text,
        metadata,
        subscription_data: z
          .strictObject({
            metadata,
            trial_period_days: whole,
            trial_end: whole,
            trial_settings: trialSettings,
            description: text,
          })
          .partial(),
        expires_at: whole,
        allow_promotion_codes: flag,
        billing_address_collection: z.enum(["auto", "required"]),
        automatic_tax: z.strictObject({ enabled: flag }),
        tax_id_collection: z.strictObject({ enabled: flag }),
        customer_update: address,
        payment_method_collection: z.enum(["always", "if_required"]),
        locale: text,
        ui_mode: z.literal("hosted_page"),
      },
      (given) => {
        const customer = findCustomer(account, required(given.customer, "customer"));
        const items = required(given.line_items, "line_items");
        const chosen = items.map(({ price }, n) => recurringPrice(account, price, `line_items[${n}][price]`));
        for (const [n, price] of chosen.entries()) checkQuantity(price, items[n]?.quantity, n);
        const total = chosen.reduce(
          (sum, price, n) => sum + (price.unit_amount ?? 0) * (items[n]?.quantity ?? 0),
          0,
        );
        const now = account.now();
        const trial = given.subscription_data?.trial_period_days ?? 0;
        const id = newId("cs_test");
        const session: Stripe.Checkout.Session = {
          id,
          object: "checkout.session",
          adaptive_pricing: { enabled: false },
          after_expiration: null,
          allow_promotion_codes: given.allow_promotion_codes ?? null,
          allowed_payment_method_types: null,
          amount_subtotal: trial > 0 ? 0 : total,
          amount_total: trial > 0 ? 0 : total,
          automatic_tax: {
            enabled: given.automatic_tax?.enabled ?? false,
            liability: null,
            provider: null,
            status: null,
          },
          billing_address_collection: given.billing_address_collection ?? null,
          cancel_url: given.cancel_url ?? null,
          client_reference_id: given.client_reference_id ?? null,
          client_secret: null,
          collected_information: null,
          consent: null,
          consent_collection: null,
          created: now,
          currency: chosen[0]?.currency ?? null,
          currency_conversion: null,
          custom_fields: [],
          custom_text: {
            after_submit: null,
            shipping_address: null,
            submit: null,
            terms_of_service_acceptance: null,
          },
          customer: customer.id,
          customer_account: null,
          customer_creation: null,
          customer_details: null,
          customer_email: null,
          discounts: [],
          expires_at: given.expires_at ?? now + DAY,
          integration_identifier: null,
          invoice: null,
          invoice_creation: null,
          livemode: false,
          locale: null,
          managed_payments: null,
          metadata: given.metadata ?? {},
          mode: required(given.mode, "mode"),
          origin_context: null,
          payment_intent: null,
          payment_link: null,
          payment_method_collection: given.payment_method_collection ?? "always",
          payment_method_configuration_details: null,
          payment_method_options: null,
          payment_method_types: ["card"],
          payment_status: "unpaid",
          permissions: null,
          recovered_from: null,
          saved_payment_method_options: null,
          setup_intent: null,
          shipping_address_collection: null,
          shipping_cost: null,
          shipping_options: [],
          status: "open",
          submit_type: null,
          subscription: null,
          success_url: required(given.success_url, "success_url"),
          total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
          ui_mode: "hosted_page",
          url: `${account.url}/checkout/${id}`,
          wallet_options: null,
        };
        checkoutSessions[id] = session;
        checkoutOrders[id] = {
          items: items.map(({ price, quantity }) => ({ price, quantity })),
          trialDays: trial > 0 ? trial : undefined,
          metadata: given.subscription_data?.metadata ?? {},
        };
        return session;
      },
    ),
    route(
      "GET",
      "/checkout/sessions",
      { ...paging, ...created, customer: text, subscription: text, status: text },
      (given) =>
        page(
          newestFirst(checkoutSessions).filter(
            (one) =>
              (!given.customer || one.customer === given.customer) &&
              (!given.subscription || one.subscription === given.subscription) &&
              (!given.status || one.status === given.status),
          ),
          "/v1/checkout/sessions",
          given,
        ),
    ),
    route("GET", "/checkout/sessions/:id", {}, (_given, id) => get(id)),
    route("GET", "/checkout/sessions/:id/line_items", paging, (given, id) => {
      get(id);
      const lines = (checkoutOrders[id]?.items ?? []).map(({ price, quantity }, n) =>
        lineItemOf(`li_${id}_${n}`, find(prices, "price", price), quantity ?? 0),
      );
      return page(lines, `/v1/checkout/sessions/${id}/line_items`, given);
    }),
    route("POST", "/checkout/sessions/:id/expire", {}, (_given, id) => {
      const session = get(id);
      if (session.status !== "open") throw invalid(`The session is ${session.status}.`, "id");
      session.status = "expired";
      session.url = null;
      account.emit("checkout.session.expired", session);
      return session;
    }),
  ];
}

/** As on Stripe: how much is bought is said, and how much will be used is not. */
function checkQuantity(price: Stripe.Price, quantity: number | undefined, n: number): void {
  const metered = isMetered({ price });
  if (metered === (quantity === undefined)) return;
  throw invalid(
    metered
      ? `Quantity should not be specified where usage_type is \`metered\`. Remove it from \`line_items[${n}]\`.`
      : `Quantity is required. Add it to \`line_items[${n}]\`.`,
    `line_items[${n}][quantity]`,
  );
}

function lineItemOf(id: string, price: Stripe.Price, quantity: number): Stripe.LineItem {
  const amount = (price.unit_amount ?? 0) * quantity;
  return {
    id,
    object: "item",
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: amount,
    amount_tax: 0,
    amount_total: amount,
    currency: price.currency,
    description: price.nickname,
    metadata: {},
    price,
    quantity,
  };
}

/** What the customer's "pay" does: the subscription is made, and the session completed. */
export function completeCheckout(account: Account, session: Stripe.Checkout.Session, card: string): void {
  if (session.status !== "open") throw invalid(`The session is ${session.status}.`, "id");
  const order = account.books.checkoutOrders[session.id];
  if (!order) throw invalid("The session has no order.", "id");
  const customer = findCustomer(account, String(session.customer));
  const attached = attachCard(account, customer.id, card);
  setDefaultCard(account, customer, attached.id);
  const subscription = createSubscription(account, {
    customer: customer.id,
    items: order.items,
    trialDays: order.trialDays,
    card: attached.id,
    metadata: order.metadata,
    paymentBehavior: "error_if_incomplete",
  });
  session.status = "complete";
  session.url = null;
  session.subscription = subscription.id;
  session.invoice = subscription.latest_invoice;
  session.payment_status = order.trialDays ? "no_payment_required" : "paid";
  account.emit("checkout.session.completed", session);
}
