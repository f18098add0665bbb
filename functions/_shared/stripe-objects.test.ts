import assert from "node:assert/strict";
import type Stripe from "stripe";
import { normalizeInvoice, normalizeSubscription, withAllItems } from "./stripe-objects.ts";

const item = (n: number) =>
  ({
    id: `si_${n}`,
    price: { id: `price_${n}`, product: { id: "prod_1" } },
    current_period_start: 10,
    current_period_end: 20,
    ...(n > 0 && { quantity: n }),
  }) as unknown as Stripe.SubscriptionItem;

const subscription = {
  id: "sub_1",
  customer: { id: "cus_1" },
  livemode: true,
  status: "some_future_status",
  currency: "eur",
  created: 1,
  trial_end: null,
  cancel_at: 30,
  cancel_at_period_end: true,
  canceled_at: 5,
  ended_at: null,
  pause_collection: { behavior: "void", resumes_at: null },
  items: { object: "list", data: [item(0), item(3)], has_more: false, url: "" },
} as unknown as Stripe.Subscription;

Deno.test("a subscription's period is its items', a metered item has no quantity, and unknown values pass", () => {
  const { items, status, customer_id, pause_collection } = normalizeSubscription(subscription);
  assert.deepEqual([status, customer_id, pause_collection], ["some_future_status", "cus_1", {
    behavior: "void",
    resumes_at: null,
  }]);
  assert.deepEqual(items.map(({ id, quantity, product_id }) => [id, quantity, product_id]), [
    ["si_0", null, "prod_1"],
    ["si_3", 3, "prod_1"],
  ]);
});

Deno.test("a subscription is never stored with a part of its items", async () => {
  const first = { ...subscription, items: { ...subscription.items, has_more: true } };
  assert.throws(() => normalizeSubscription(first), /further pages/);
  const all = Array.from({ length: 23 }, (_, n) => item(n));
  const stripe = {
    subscriptionItems: {
      list: async function* () {
        for (const one of all) yield await Promise.resolve(one);
      },
    },
  } as unknown as Stripe;
  assert.equal(normalizeSubscription(await withAllItems(stripe, first)).items.length, 23);
  assert.equal(await withAllItems(stripe, subscription), subscription, "nothing is asked when nothing lacks");
});

Deno.test("an invoice names its subscription by its parent, and sums its taxes", () => {
  const invoice = {
    id: "in_1",
    customer: "cus_1",
    livemode: false,
    parent: { subscription_details: { subscription: "sub_1" } },
    total_taxes: [{ amount: 19 }, { amount: 2 }],
    status_transitions: { paid_at: 9 },
    lines: {
      data: [{ description: "Pro", amount: 100, quantity: 1, pricing: null, period: { start: 1, end: 2 } }],
    },
  } as unknown as Stripe.Invoice;
  const { subscription_id, tax, paid_at, lines } = normalizeInvoice(invoice);
  assert.deepEqual([subscription_id, tax, paid_at], ["sub_1", 21, 9]);
  assert.deepEqual(lines, [
    { description: "Pro", amount: 100, quantity: 1, price_id: null, period_start: 1, period_end: 2 },
  ]);
  const single = normalizeInvoice({ ...invoice, parent: null, total_taxes: null });
  assert.deepEqual([single.subscription_id, single.tax], [null, null]);
});
