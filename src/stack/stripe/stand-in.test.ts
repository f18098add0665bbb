import Stripe from "stripe";
import { beforeEach, expect, test } from "vitest";
import { CARD_THAT_FAILS, CARD_THAT_PAYS } from "./cards.ts";
import { DAY, HOUR } from "./periods.ts";
import { createStripeStandIn, type StandIn } from "./stand-in.ts";

const secretKey = "sk_test_standin";
const webhookSecret = "whsec_standin";
const startsAt = Date.UTC(2026, 0, 31) / 1000;

let standIn: StandIn;
let stripe: Stripe;

beforeEach(() => {
  standIn = createStripeStandIn({ secretKey, webhookSecrets: [webhookSecret], startsAt });
  stripe = new Stripe(secretKey, {
    httpClient: Stripe.createFetchHttpClient(standIn.fetchForSdk),
    maxNetworkRetries: 0,
  });
});

/** A price of 10.00 a month, and a customer with a card. */
async function shop(card = CARD_THAT_PAYS) {
  const product = await stripe.products.create({ name: "Pro" });
  const price = (unit_amount: number, interval: "month" | "year" = "month") =>
    stripe.prices.create({ product: product.id, currency: "usd", unit_amount, recurring: { interval } });
  const customer = await stripe.customers.create({
    email: "ada@example.com",
    invoice_settings: { default_payment_method: card },
  });
  const { id } = await price(1000);
  const subscribe = (more: Stripe.SubscriptionCreateParams = {}) =>
    stripe.subscriptions.create({ customer: customer.id, items: [{ price: id, quantity: 3 }], ...more });
  return { product, price, monthly: id, customer, subscribe };
}

const types = () => standIn.account.books.events.map(({ type }) => type);
const status = async ({ id }: { id: string }) => (await stripe.subscriptions.retrieve(id)).status;

test("a subscription is paid, and its period stands on its items alone", async () => {
  const { subscribe } = await shop();
  const subscription = await subscribe({ expand: ["latest_invoice", "customer"] });
  expect(subscription.status).toBe("active");
  expect(subscription).not.toHaveProperty("current_period_end");
  expect(subscription.customer).toMatchObject({ email: "ada@example.com" });
  const [item] = subscription.items.data;
  // January 31 and a month.
  expect(new Date((item?.current_period_end ?? 0) * 1000).toISOString()).toBe("2026-02-28T00:00:00.000Z");
  const invoice = subscription.latest_invoice as Stripe.Invoice;
  expect(invoice).toMatchObject({ status: "paid", total: 3000, amount_paid: 3000, amount_remaining: 0 });
  expect(invoice.parent?.subscription_details?.subscription).toBe(subscription.id);
  expect(invoice).not.toHaveProperty("subscription");
});

test("a month later it is renewed on the anchor's day, an hour after its draft", async () => {
  const { subscribe } = await shop();
  const subscription = await subscribe();
  standIn.advance(28 * DAY + HOUR / 2);
  const { items } = await stripe.subscriptions.retrieve(subscription.id);
  expect(new Date((items.data[0]?.current_period_end ?? 0) * 1000).toISOString()).toMatch(/^2026-03-31/);
  const drafts = await stripe.invoices.list({ subscription: subscription.id, status: "draft" });
  expect(drafts.data).toHaveLength(1);
  standIn.advance(HOUR);
  expect(await stripe.invoices.retrieve(drafts.data[0]?.id ?? "")).toMatchObject({
    status: "paid",
    total: 3000,
  });
});

test("a trial ends in a payment that fails, is retried, and recovers with another card", async () => {
  const { subscribe, customer } = await shop(CARD_THAT_FAILS);
  const subscription = await subscribe({ trial_period_days: 14 });
  expect(subscription.status).toBe("trialing");
  standIn.advance(14 * DAY + 2 * HOUR);
  expect(await status(subscription)).toBe("past_due");
  await stripe.customers.update(customer.id, {
    invoice_settings: { default_payment_method: CARD_THAT_PAYS },
  });
  standIn.advance(3 * DAY);
  expect(await status(subscription)).toBe("active");
  expect(types()).toEqual(
    expect.arrayContaining([
      "customer.subscription.trial_will_end",
      "invoice.payment_failed",
      "invoice.paid",
      "customer.subscription.updated",
    ]),
  );
});

test.each(["canceled", "unpaid", "past_due"] as const)(
  "after the last retry it is %s",
  async (afterRetries) => {
    standIn = createStripeStandIn({ secretKey, webhookSecrets: [], startsAt, afterRetries });
    stripe = new Stripe(secretKey, { httpClient: Stripe.createFetchHttpClient(standIn.fetchForSdk) });
    const { subscribe } = await shop(CARD_THAT_FAILS);
    const subscription = await subscribe({ trial_period_days: 1 });
    standIn.advance(17 * DAY);
    expect(await status(subscription)).toBe(afterRetries);
  },
);

test("an upgrade bills the difference for the time that is left, and its preview said so", async () => {
  const { subscribe, price } = await shop();
  const subscription = await subscribe();
  const dear = await price(4000);
  standIn.advance(14 * DAY);
  const items = [{ id: subscription.items.data[0]?.id ?? "", price: dear.id, quantity: 3 }];
  const change = { items, proration_behavior: "always_invoice" as const };
  const preview = await stripe.invoices.createPreview({
    subscription: subscription.id,
    subscription_details: change,
  });
  expect(preview.total).toBe(-1500 + 6000);
  expect(preview.lines.data.every(({ parent }) => parent?.subscription_item_details?.proration)).toBe(true);
  const updated = await stripe.subscriptions.update(subscription.id, {
    ...change,
    expand: ["latest_invoice"],
  });
  expect(updated.latest_invoice).toMatchObject({
    total: 4500,
    status: "paid",
    billing_reason: "subscription_update",
  });
});

test("a downgrade waits for the next invoice as a credit", async () => {
  const { subscribe, price } = await shop();
  const subscription = await subscribe();
  const cheap = await price(100);
  standIn.advance(14 * DAY);
  await stripe.subscriptions.update(subscription.id, {
    items: [{ id: subscription.items.data[0]?.id ?? "", price: cheap.id }],
  });
  standIn.advance(14 * DAY + HOUR);
  const [renewal] = (await stripe.invoices.list({ subscription: subscription.id })).data;
  expect(renewal).toMatchObject({
    total: -1500 + 150 + 300,
    amount_due: 0,
    ending_balance: -1050,
    status: "paid",
  });
});

test("cancel at the period's end can be taken back; otherwise it ends", async () => {
  const { subscribe } = await shop();
  const subscription = await subscribe();
  const cancel = (cancel_at_period_end: boolean) =>
    stripe.subscriptions.update(subscription.id, { cancel_at_period_end });
  expect((await cancel(true)).cancel_at).toBe(subscription.items.data[0]?.current_period_end);
  expect((await cancel(false)).cancel_at).toBeNull();
  await cancel(true);
  standIn.advance(31 * DAY);
  expect(await status(subscription)).toBe("canceled");
  expect((await stripe.subscriptions.list()).data).toHaveLength(0);
  expect((await stripe.subscriptions.list({ status: "all" })).data).toHaveLength(1);
});

test("paused it is not billed; resumed it begins a new period", async () => {
  const { subscribe } = await shop();
  const subscription = await subscribe();
  await stripe.subscriptions.pause(subscription.id);
  standIn.advance(90 * DAY);
  expect(await status(subscription)).toBe("paused");
  const resumed = await stripe.subscriptions.resume(subscription.id);
  expect([resumed.status, resumed.items.data[0]?.current_period_start]).toEqual([
    "active",
    startsAt + 90 * DAY,
  ]);
});

test("a customer who is deleted takes the subscriptions along", async () => {
  const { subscribe, customer } = await shop();
  const subscription = await subscribe();
  await stripe.customers.del(customer.id);
  expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ deleted: true });
  expect(await status(subscription)).toBe("canceled");
});

test("items beyond the first ten are on further pages", async () => {
  const { subscribe, price } = await shop();
  const items = [];
  for (let n = 0; n < 12; n++) items.push({ price: (await price(100 + n)).id });
  const subscription = await subscribe({ items });
  expect([subscription.items.data.length, subscription.items.has_more]).toEqual([10, true]);
  const all = await stripe.subscriptionItems
    .list({ subscription: subscription.id, limit: 5 })
    .autoPagingToArray({ limit: 100 });
  expect(new Set(all.map(({ id }) => id)).size).toBe(12);
});

test("checkout: a page with a button makes the subscription, another one nothing", async () => {
  const { customer, monthly } = await shop();
  const session = await stripe.checkout.sessions.create({
    mode: "subscription",
    customer: customer.id,
    line_items: [{ price: monthly, quantity: 2 }],
    success_url: "https://app.example.com/done?session={CHECKOUT_SESSION_ID}",
    subscription_data: { metadata: { from: "checkout" } },
  });
  const press = (card: string) =>
    standIn.fetch(new Request(session.url ?? "", { method: "POST", body: new URLSearchParams({ card }) }));
  expect(await (await standIn.fetch(new Request(session.url ?? ""))).text()).toContain("Pay");
  expect((await press("declined")).headers.get("location")).toBe(`/checkout/${session.id}?failed`);
  expect((await stripe.subscriptions.list()).data).toHaveLength(0);
  const paid = await press("pays");
  expect(paid.headers.get("location")).toBe(`https://app.example.com/done?session=${session.id}`);
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ["subscription"] });
  expect(done).toMatchObject({ status: "complete", subscription: { metadata: { from: "checkout" } } });
  expect((await press("pays")).status).toBe(400);
});

test("the portal cancels, and takes it back", async () => {
  const { customer, subscribe } = await shop();
  const { id } = await subscribe();
  const { url } = await stripe.billingPortal.sessions.create({ customer: customer.id });
  const press = (fields: Record<string, string>) =>
    standIn.fetch(new Request(url, { method: "POST", body: new URLSearchParams(fields) }));
  expect(await (await standIn.fetch(new Request(url))).text()).toContain("Cancel at the period");
  await press({ cancel: id });
  expect((await stripe.subscriptions.retrieve(id)).cancel_at_period_end).toBe(true);
  await press({ resume: id });
  expect((await stripe.subscriptions.retrieve(id)).cancel_at_period_end).toBe(false);
});

test("an idempotency key gives the first answer again, and refuses another request", async () => {
  const create = (email: string) => stripe.customers.create({ email }, { idempotencyKey: "once" });
  const [first, second] = [await create("ada@example.com"), await create("ada@example.com")];
  expect(second.id).toBe(first.id);
  await expect(create("grace@example.com")).rejects.toMatchObject({ type: "StripeIdempotencyError" });
});

test("an answer that is lost after the work is repeated by its key", async () => {
  standIn.faults.plan({ status: 500, afterwards: true });
  const retrying = new Stripe(secretKey, {
    httpClient: Stripe.createFetchHttpClient(standIn.fetchForSdk),
    maxNetworkRetries: 1,
  });
  const customer = await retrying.customers.create({ email: "ada@example.com" });
  expect((await stripe.customers.list()).data.map(({ id }) => id)).toEqual([customer.id]);
});

test("errors are Stripe's", async () => {
  const { subscribe, monthly } = await shop(CARD_THAT_FAILS);
  await expect(stripe.subscriptions.retrieve("sub_none")).rejects.toMatchObject({
    type: "StripeInvalidRequestError",
    code: "resource_missing",
    statusCode: 404,
  });
  await expect(subscribe({ payment_behavior: "error_if_incomplete" })).rejects.toMatchObject({
    type: "StripeCardError",
  });
  const unknown = { subscription: monthly, plan_name: "pro" } as Stripe.SubscriptionItemListParams;
  await expect(stripe.subscriptionItems.list(unknown)).rejects.toMatchObject({ code: "parameter_unknown" });
  standIn.faults.plan({ status: 429, shouldRetry: false });
  await expect(stripe.customers.list()).rejects.toMatchObject({ type: "StripeRateLimitError" });
  const stranger = new Stripe("sk_test_other", {
    httpClient: Stripe.createFetchHttpClient(standIn.fetchForSdk),
  });
  await expect(stranger.customers.list()).rejects.toMatchObject({ type: "StripeAuthenticationError" });
});

test("usage is taken once for each identifier", async () => {
  const { customer } = await shop();
  const send = () =>
    stripe.billing.meterEvents.create({
      event_name: "api_requests",
      identifier: "2026-01-31",
      payload: { stripe_customer_id: customer.id, value: "12" },
    });
  expect((await send()).payload["value"]).toBe("12");
  await expect(send()).rejects.toMatchObject({ statusCode: 400 });
});

test("usage is billed by its meter: within tiers, by unit, and once the period is over", async () => {
  const { customer } = await shop();
  const meter = await stripe.billing.meters.create({
    display_name: "Calls",
    event_name: "calls",
    default_aggregation: { formula: "sum" },
  });
  await expect(
    stripe.billing.meters.create({
      display_name: "Again",
      event_name: "calls",
      default_aggregation: { formula: "sum" },
    }),
  ).rejects.toMatchObject({ param: "event_name" });
  const { id: product } = await stripe.products.create({ name: "By usage" });
  const priced = {
    product,
    currency: "eur",
    recurring: { interval: "month", usage_type: "metered" },
  } as const;
  await expect(stripe.prices.create({ ...priced, unit_amount: 1 })).rejects.toMatchObject({
    param: "recurring[meter]",
  });
  const recurring = { ...priced.recurring, meter: meter.id };
  const unit = await stripe.prices.create({
    ...priced,
    recurring,
    unit_amount_decimal: stripe.Decimal.from("0.25"),
  });
  const tiered = await stripe.prices.create({
    ...priced,
    recurring,
    billing_scheme: "tiered",
    tiers_mode: "graduated",
    tiers: [
      { up_to: 10, unit_amount: 0 },
      { up_to: "inf", unit_amount: 3 },
    ],
  });
  expect([unit.unit_amount, String(unit.unit_amount_decimal), tiered.unit_amount, tiered.tiers]).toEqual([
    null,
    "0.25",
    null,
    undefined,
  ]);
  expect((await stripe.prices.retrieve(tiered.id, { expand: ["tiers"] })).tiers).toMatchObject([
    { up_to: 10, unit_amount: 0 },
    { up_to: null, unit_amount: 3 },
  ]);
  await expect(
    stripe.subscriptions.create({ customer: customer.id, items: [{ price: unit.id, quantity: 2 }] }),
  ).rejects.toMatchObject({ statusCode: 400 });

  const { id } = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: unit.id }, { price: tiered.id }],
  });
  const use = () =>
    stripe.billing.meterEvents.create({
      event_name: "calls",
      payload: { stripe_customer_id: customer.id, value: "14" },
    });
  await use();
  standIn.advance(40 * 86_400);
  await use();
  const { data } = await stripe.invoices.list({ subscription: id });
  expect(data.map(({ lines }) => lines.data.map(({ amount }) => amount))).toEqual([
    [4, 12],
    [0, 0],
  ]);
});

test("a search finds by metadata what is not too new", async () => {
  await stripe.customers.create({ metadata: { organization: "o-1" } });
  await stripe.customers.create({ metadata: { organization: "o-2" } });
  const search = () => stripe.customers.search({ query: "metadata['organization']:'o-1'" });
  expect((await search()).data).toHaveLength(0);
  standIn.advance(60);
  expect((await search()).data.map(({ metadata }) => metadata)).toEqual([{ organization: "o-1" }]);
});

test("webhooks are signed as Stripe signs them, and sent again until they are taken", async () => {
  const taken: Stripe.Event[] = [];
  let refusals = 2;
  standIn = createStripeStandIn({
    secretKey,
    webhookSecrets: ["whsec_old", webhookSecret],
    retryAfterMs: () => 0,
    send: async ({ body, headers }) => {
      if (refusals-- > 0) return 500;
      const signature = headers["stripe-signature"] ?? "";
      taken.push(await stripe.webhooks.constructEventAsync(body, signature, webhookSecret));
      return 200;
    },
  });
  standIn.webhooks.flow();
  standIn.account.emit("customer.created", { id: "cus_1", object: "customer" });
  await expect.poll(() => taken.length, { timeout: 20_000 }).toBe(1);
  expect(taken[0]).toMatchObject({ type: "customer.created", data: { object: { id: "cus_1" } } });
  expect(standIn.webhooks.waiting).toHaveLength(0);
});

test("an endpoint gets the types that it asks for", () => {
  standIn = createStripeStandIn({ secretKey, webhookSecrets: [], webhookTypes: ["customer.deleted"] });
  for (const type of ["customer.created", "customer.deleted"] as const) standIn.account.emit(type, {});
  expect(standIn.webhooks.waiting.map(({ type }) => type)).toEqual(["customer.deleted"]);
  expect(types()).toHaveLength(2);
});

test("held back, they are delivered in any order, several times over, or lost", async () => {
  const sent: string[] = [];
  standIn = createStripeStandIn({
    secretKey,
    webhookSecrets: [webhookSecret],
    send: async ({ body }) => {
      sent.push(JSON.parse(body).type);
      return sent.length === 1 ? 500 : 200;
    },
  });
  for (const type of ["customer.created", "customer.updated", "customer.deleted"] as const) {
    standIn.account.emit(type, {});
  }
  await standIn.webhooks.deliver({
    order: (events) => events.toReversed(),
    drop: ({ type }) => type === "customer.updated",
  });
  expect(sent).toEqual(["customer.deleted", "customer.created"]);
  expect(standIn.webhooks.waiting.map(({ type }) => type)).toEqual(["customer.deleted"]);
  await standIn.webhooks.deliver({ copies: 2 });
  expect(sent.slice(2)).toEqual(["customer.deleted", "customer.deleted"]);
});
