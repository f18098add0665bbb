import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import Stripe from "stripe";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { fetchObject } from "../../functions/_shared/stripe-fetch.ts";
import { takeBackSecond } from "../../functions/maintenance/take-back-second.ts";
import { plan } from "../../src/billing/plan-file.ts";
import { syncPlans } from "../../src/billing/sync-plans.ts";
import { CARD_THAT_FAILS, CARD_THAT_PAYS } from "../../src/stack/stripe/cards.ts";
import { completeCheckout } from "../../src/stack/stripe/checkout.ts";
import { createStripeStandIn } from "../../src/stack/stripe/stand-in.ts";
import type { Database } from "../../types/database.ts";
import { linkOrganizations } from "./places.ts";

// Two pages that were both paid, however that came to be: in whichever order we hear of it, one subscription is left, and
// what the other cost is the customer's.
const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
const supabase = createClient<Database>(project.url, project.secretKey, { auth: { persistSession: false } });
const standIn = createStripeStandIn({
  secretKey: "sk_test_standin",
  webhookSecrets: [],
  startsAt: Math.floor(Date.now() / 1000),
});
const { account } = standIn;
const stripe = new Stripe("sk_test_standin", {
  httpClient: Stripe.createFetchHttpClient(standIn.fetchForSdk),
  maxNetworkRetries: 0,
});
const consumer = takeBackSecond({ configured: true, livemode: false, client: () => Promise.resolve(stripe) });

const metered = { limits: { "api_requests.per_month": { value: 0, overage: true } } };
const month = { interval: "month", currency: "eur" };
const plans = [
  { key: "twice-small", limits: {}, prices: [{ ...month, unit_amount: 1000 }] },
  { key: "twice-large", ...metered, prices: [{ ...month, unit_amount: 5000, metered: { api_requests: 3 } }] },
].map((one) => plan.parse({ name: one.key, is_public: false, ...one }));

const organizations: string[] = [];
beforeAll(async () => {
  await syncPlans({ stripe, supabase, plans, livemode: false, dryRun: false, say: () => {} });
});
afterAll(async () => {
  await sql`delete from private.outbox where organization_id = any (${organizations})`;
  await sql`delete from public.organizations where id = any (${organizations})`;
  await sql.end();
});

const price = (key: string) =>
  Object.values(account.books.prices).find(({ lookup_key }) => lookup_key === key)?.id as string;

interface Place {
  id: string;
  customer: string;
}
async function place(): Promise<Place> {
  const { id: customer } = await stripe.customers.create();
  const id = (await linkOrganizations(sql, [customer])).get(customer) as string;
  organizations.push(id);
  return { id, customer };
}

/** A page as functions/billing opens it, though there may be another. */
const page = ({ id, customer }: Place, name: string, prices = [price(`twice-${name}_month_eur`)]) =>
  stripe.checkout.sessions.create({
    mode: "subscription",
    customer,
    line_items: [
      ...prices.map((price) => ({ price, quantity: 1 })),
      ...(name === "large" ? [{ price: price("twice-large_month_eur_api_requests") }] : []),
    ],
    success_url: "http://localhost:3000/billing",
    client_reference_id: id,
    subscription_data: { metadata: { organization_id: id } },
  });
function pay({ id }: Stripe.Checkout.Session, card = CARD_THAT_PAYS): string {
  const session = account.books.checkoutSessions[id] as Stripe.Checkout.Session;
  completeCheckout(account, session, card);
  return String(session.subscription);
}

/** What a webhook about it does. */
async function tell({ customer }: Place, id: string, kind: "subscription" | "invoice" = "subscription") {
  const [drawn] = await sql`select ticket from public.stripe_ticket()`;
  const object = await fetchObject(stripe, { kind, id, customerId: customer }, false);
  await sql`select public.apply_stripe_object(${drawn?.["ticket"]}, ${JSON.stringify(object)}::text::jsonb)`;
}
/** What maintenance does with what was asked. */
async function maintain({ id }: Place) {
  const entries = await sql`
    update private.outbox set attempts = attempts + 1, done_at = now()
    where kind = 'billing.second' and organization_id = ${id} and done_at is null
    returning id::integer, organization_id, payload, attempts`;
  for (const entry of entries) await consumer.consume(entry as never, () => false, supabase as never);
}
const status = (id: string) => account.books.subscriptions[id]?.status;
const credit = ({ customer }: Place) => {
  const found = account.books.customers[customer];
  return found && !found.deleted ? found.balance : undefined;
};
const stored = ({ id }: Place) => sql`
  select stripe_subscription_id as id, is_current from public.subscriptions
  where organization_id = ${id} and rank is not null order by is_current desc`;
const problems = ({ id }: Place) => sql`
  select problem, object_id from public.billing_problems() where organization_id = ${id}`;

function permutations<T>(values: T[]): T[][] {
  if (values.length <= 1) return [values];
  return values.flatMap((value, n) =>
    permutations(values.toSpliced(n, 1)).map((others) => [value, ...others]),
  );
}

test("both pages paid at once: in every order of what we hear, the first stays and the second is credited", async () => {
  const orders = new Set(permutations(["first", "second", "first", "maintain", "maintain"]).map(String));
  for (const order of orders) {
    const where = await place();
    const pages = [await page(where, "small"), await page(where, "large")] as const;
    const first = pay(pages[0]);
    standIn.advance(1);
    const second = pay(pages[1]);
    for (const step of order.split(",")) {
      if (step === "maintain") await maintain(where);
      else await tell(where, step === "first" ? first : second);
    }
    // The events of what maintenance did.
    for (let n = 0; n < 2; n++) {
      await maintain(where);
      for (const id of [second, first]) await tell(where, id);
    }
    expect([order, status(first), status(second)]).toEqual([order, "active", "canceled"]);
    expect([order, await stored(where)]).toEqual([order, [{ id: first, is_current: true }]]);
    expect([order, credit(where), await problems(where)]).toEqual([order, -5000, []]);
  }
  expect(orders.size).toBe(30);
});

test("a page that is paid long after: what was used is billed once, by the one that stays", async () => {
  const where = await place();
  const late = await page(where, "large");
  const first = pay(await page(where, "large"));
  await tell(where, first);
  standIn.advance(3600);
  const second = pay(late);
  standIn.advance(60);
  await stripe.billing.meterEvents.create({
    event_name: "api_requests",
    payload: { stripe_customer_id: where.customer, value: "100" },
  });
  standIn.advance(60);
  await tell(where, second);
  await maintain(where);
  expect([status(first), status(second)]).toEqual(["active", "canceled"]);
  const last = account.books.invoices[String(account.books.subscriptions[second]?.latest_invoice)];
  expect(last?.lines.data.every(({ amount }) => amount < 0)).toBe(true);
  const next = await stripe.invoices.createPreview({ subscription: first });
  expect(next.lines.data.map(({ amount }) => amount).sort()).toEqual([300, 5000]);
});

test("beside one that ends, the one that was bought to go on stays", async () => {
  const where = await place();
  const late = await page(where, "small");
  const first = pay(await page(where, "large"));
  await stripe.subscriptions.update(first, { cancel_at_period_end: true });
  await tell(where, first);
  standIn.advance(60);
  const second = pay(late);
  await tell(where, second);
  await maintain(where);
  expect([status(first), status(second)]).toEqual(["canceled", "active"]);
  await tell(where, first);
  expect(await stored(where)).toEqual([{ id: second, is_current: true }]);
});

test("what nobody bought on our page, or beside one that is not paid for, is shown and left alone", async () => {
  const where = await place();
  const first = pay(await page(where, "small"));
  standIn.advance(1);
  const arranged = await stripe.subscriptions.create({
    customer: where.customer,
    items: [{ price: price("twice-small_month_eur") }],
  });
  for (const id of [arranged.id, first]) await tell(where, id);
  await maintain(where);
  expect([status(first), status(arranged.id)]).toEqual(["active", "active"]);
  expect(await problems(where)).toEqual([{ problem: "duplicate_subscription", object_id: arranged.id }]);

  const other = await place();
  const owing = pay(await page(other, "small"));
  const sold = await page(other, "small");
  await stripe.subscriptions.update(owing, { default_payment_method: CARD_THAT_FAILS });
  standIn.advance(40 * 86_400);
  expect(status(owing)).toBe("past_due");
  await tell(other, owing);
  expect(() => pay(sold)).toThrow("expired");
  const bought = pay(await page(other, "small"));
  await tell(other, bought);
  await maintain(other);
  expect([status(owing), status(bought)]).toEqual(["past_due", "active"]);
  expect(await stored(other)).toMatchObject([{ id: bought }, { id: owing }]);
  expect(await problems(other)).toEqual([{ problem: "duplicate_subscription", object_id: owing }]);
});

test("one whose debit is under way is taken back when the money has come, and not credited before", async () => {
  const where = await place();
  const pages = [await page(where, "small"), await page(where, "large")] as const;
  const first = pay(pages[0]);
  standIn.advance(1);
  const second = pay(pages[1]);
  const invoice = account.books.invoices[String(account.books.subscriptions[second]?.latest_invoice)];
  if (!invoice) throw new Error("It was not billed.");
  invoice.status = "open";
  for (const id of [first, second]) await tell(where, id);
  await tell(where, invoice.id, "invoice");
  await maintain(where);
  expect([status(first), status(second), credit(where)]).toEqual(["active", "active", 0]);
  expect(await problems(where)).toEqual([{ problem: "duplicate_subscription", object_id: second }]);

  invoice.status = "paid";
  await tell(where, invoice.id, "invoice");
  await maintain(where);
  expect([status(first), status(second), credit(where)]).toEqual(["active", "canceled", -5000]);
});

test("a failure at Stripe is tried again, and what is half done comes to the same end", async () => {
  for (const afterwards of [false, true]) {
    const where = await place();
    const pages = [await page(where, "large"), await page(where, "large")] as const;
    const first = pay(pages[0]);
    standIn.advance(1);
    const second = pay(pages[1]);
    for (const id of [first, second]) await tell(where, id);
    const entry = { id: 1, organization_id: where.id, payload: {}, attempts: 1 };
    const consume = () => consumer.consume(entry as never, () => false, supabase as never);
    for (const method of ["POST", "DELETE"]) {
      standIn.faults.plan({ method, path: /subscriptions/, status: 500, shouldRetry: false, afterwards });
      await expect(consume()).rejects.toThrow();
    }
    expect(await consume()).toBe(true);
    expect([status(first), status(second), credit(where)]).toEqual(["active", "canceled", -5000]);
  }
});
