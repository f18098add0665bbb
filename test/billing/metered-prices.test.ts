import postgres from "postgres";
import type Stripe from "stripe";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { plan } from "../../src/billing/plan-file.ts";
import { CARD_THAT_PAYS } from "../../src/stack/stripe/cards.ts";
import { completeCheckout } from "../../src/stack/stripe/checkout.ts";
import { createStripeStandIn } from "../../src/stack/stripe/stand-in.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";
import { createBillingApp } from "./billing-app.ts";

// From the plan file to the invoice: what a plan bills by usage is bought, swapped and ended together with the plan.
const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
const startsAt = Math.floor(Date.now() / 1000);
const standIn = createStripeStandIn({ secretKey: "sk_test_standin", webhookSecrets: [], startsAt });
const { account } = standIn;
const { stripe, app, sell } = createBillingApp(project, standIn);

const bills = (unit_amount: number, value: number, rate: number | string) => ({
  limits: { "api_requests.per_month": { value, overage: true } },
  prices: [{ interval: "month", currency: "eur", unit_amount, metered: { api_requests: rate } }],
});
const plans = [
  { key: "by-usage-small", ...bills(1000, 100, "0.5") },
  { key: "by-usage-large", ...bills(5000, 1000, "0.125") },
  {
    key: "by-usage-flat",
    limits: { "api_requests.per_month": 10 },
    prices: [{ interval: "month", currency: "eur", unit_amount: 2000 }],
  },
].map((one) => plan.parse({ name: one.key, is_public: false, ...one }));

let ada: Person;
let token: string;
let id: string;

beforeAll(async () => {
  await sell(plans);
  ada = await signUp(project, "Ada");
  token = (await ada.supabase.auth.getSession()).data.session?.access_token as string;
  ({ id } = must(await ada.organizations.create({ name: "By usage", slug: uniqueSlug("by-usage") })));
});
afterAll(async () => {
  await sql`delete from public.organizations where id = ${id}`;
  await sql.end();
});

const price = (name: string) =>
  Object.values(account.books.prices).find(({ lookup_key }) => lookup_key === `by-usage-${name}`)?.id;

async function call(path: string, input: object = {}) {
  const response = await app.request(`/billing${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      apikey: project.publishableKey,
      "content-type": "application/json",
    },
    body: JSON.stringify({ organization_id: id, ...input }),
  });
  return (await response.json()) as Record<string, unknown> & { error?: { code: string } };
}

const subscription = () =>
  Object.values(account.books.subscriptions).find(
    ({ metadata }) => metadata["organization_id"] === id,
  ) as Stripe.Subscription;
const items = () => subscription().items.data.map((item) => [item.price.id, item.quantity]);
const newest = () =>
  Object.values(account.books.invoices).find(
    (invoice) => invoice.id === subscription().latest_invoice,
  ) as Stripe.Invoice;
const use = (value: number, timestamp = account.now()) =>
  stripe.billing.meterEvents.create({
    event_name: "api_requests",
    timestamp,
    payload: { stripe_customer_id: String(subscription().customer), value: String(value) },
  });
const amounts = (invoice: Stripe.Invoice) => invoice.lines.data.map(({ amount }) => amount);
const endOfPeriod = () => subscription().items.data[0]?.current_period_end as number;

test("a purchase puts the plan and what it bills by usage into one subscription", async () => {
  const { session_id } = await call("/checkout", { price_id: price("small_month_eur") });
  const session = account.books.checkoutSessions[session_id as string] as Stripe.Checkout.Session;
  completeCheckout(account, session, CARD_THAT_PAYS);
  expect(items()).toEqual([
    [price("small_month_eur"), 1],
    [price("small_month_eur_api_requests"), undefined],
  ]);
  expect(newest().total).toBe(1000);

  expect((await call("/checkout", { price_id: price("large_month_eur") })).error?.code).toBe(
    "already_subscribed",
  );
  const stored = must(await ada.billing.subscription(id));
  expect(stored).toMatchObject({ plan_key: "by-usage-small", quantity: 1 });
  expect(stored?.subscription_items.map(({ metered }) => metered).sort()).toEqual([false, true]);
});

test("a price by usage is not bought by itself", async () => {
  const alone = await call("/preview", { price_id: price("large_month_eur_api_requests") });
  expect(alone.error?.code).toBe("unknown_price");
});

test("the period's end bills the next one, and what was used beyond the plan in this one", async () => {
  await use(250);
  const end = endOfPeriod();
  standIn.advance(end - account.now());
  // What comes late is taken while the invoice is a draft.
  await use(50, end - 60);
  await use(7);
  standIn.advance(3600);
  expect(amounts(newest())).toEqual([100, 1000]);
  expect(newest()).toMatchObject({ status: "paid", total: 1100 });
});

test("a change swaps what is billed by usage with the plan, and costs what its preview told", async () => {
  await use(143);
  const selection = { price_id: price("large_month_eur") };
  standIn.advance(10 * 86_400);
  const preview = await call("/preview", selection);
  expect(preview).toMatchObject({ lines: expect.arrayContaining([expect.objectContaining({ amount: 25 })]) });
  standIn.advance(600);
  const { proration_date } = preview;
  expect((await call("/change", { ...selection, proration_date })).error).toBeUndefined();
  expect(newest().total).toBe(preview["total"]);
  expect(items()).toEqual([
    [price("large_month_eur"), 1],
    [price("large_month_eur_api_requests"), undefined],
  ]);
});

test("who stays on a plan keeps its prices by usage, and what was used", async () => {
  const [, before] = subscription().items.data;
  await use(1008);
  standIn.advance(60);
  expect((await call("/change", { price_id: price("large_month_eur") })).error).toBeUndefined();
  expect(subscription().items.data[1]?.id).toBe(before?.id);
});

test("a plan that bills nothing by usage takes it away, and what was used is billed", async () => {
  const preview = await call("/preview", { price_id: price("flat_month_eur") });
  expect(preview).toMatchObject({ lines: expect.arrayContaining([expect.objectContaining({ amount: 1 })]) });
  const { proration_date } = preview;
  const change = await call("/change", { price_id: price("flat_month_eur"), proration_date });
  expect(change.error).toBeUndefined();
  expect(newest().total).toBe(preview["total"]);
  expect(items()).toEqual([[price("flat_month_eur"), 1]]);
});

test("the end bills what was used since, and credits what is left of the period", async () => {
  await use(5000);
  standIn.advance(60);
  expect((await call("/change", { price_id: price("small_month_eur") })).error).toBeUndefined();
  await use(104);
  standIn.advance(60);
  expect(await call("/cancel", { when: "now" })).toMatchObject({ status: "canceled" });
  const [used, unused] = amounts(newest());
  expect([used, Number(unused) < 0, newest().status]).toEqual([2, true, "paid"]);
});

test("what admits more than it holds, and has no price for it, is an operator's to see", async () => {
  const other = must(await ada.organizations.create({ name: "Before", slug: uniqueSlug("before") }));
  const customer = await stripe.customers.create({ metadata: { organization_id: other.id } });
  await sql`select public.link_stripe_customer(${other.id}, ${customer.id}, false)`;
  const of = (price_id: string | undefined) => ({
    kind: "subscription",
    id: `sub_${other.id}`,
    customer_id: customer.id,
    livemode: false,
    status: "active",
    currency: "eur",
    created: startsAt,
    items: [price("small_month_eur"), price_id].flatMap((price, n) =>
      price ? [{ id: `si_${n}_${other.id}`, price_id: price, metered: n === 1, created: startsAt }] : [],
    ),
  });
  const problems = async (object: object) => {
    await sql`select public.apply_stripe_object(ticket, ${JSON.stringify(object)}::text::jsonb) from public.stripe_ticket()`;
    return sql`select problem, object_id from public.billing_problems() where organization_id = ${other.id}`;
  };
  expect(await problems(of(undefined))).toEqual([
    { problem: "unbilled_overage", object_id: `sub_${other.id}` },
  ]);
  expect(await problems(of(price("small_month_eur_api_requests")))).toEqual([]);
  await sql`delete from public.organizations where id = ${other.id}`;
});
