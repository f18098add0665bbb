import postgres from "postgres";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { type StandInServer, startStripeServer } from "../../src/stack/stripe/server.ts";
import { sign } from "../../src/stack/stripe/webhooks.ts";
import { type ProxiedConnection, startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { linkOrganizations, offerPlan } from "./places.ts";
import { SECRET_KEY, type ServedWebhook, serveWebhook, WEBHOOK_SECRET } from "./served-function.ts";

const { databaseUrl } = inject("project");
const sql = postgres(databaseUrl, { max: 4, onnotice() {} });

/** What happens at the next boundaries: between a request or its answer being sent, and its arrival. */
let atBoundary: (connection?: ProxiedConnection) => Promise<boolean> = async () => true;

let stripe: StandInServer;
let toDatabase: TcpProxy;
let toStripe: TcpProxy;
let served: ServedWebhook;
let price: string;

const serve = () => {
  const url = new URL(databaseUrl);
  url.port = String(toDatabase.port);
  return serveWebhook(url.href, `http://127.0.0.1:${toStripe.port}`);
};

beforeAll(async () => {
  await offerPlan(sql);
  // Its events wait until they are delivered.
  stripe = await startStripeServer({
    port: 0,
    secretKey: SECRET_KEY,
    webhookSecrets: [WEBHOOK_SECRET],
    webhookUrl: "http://127.0.0.1:1",
  });
  toDatabase = await startTcpProxy({
    port: Number(new URL(databaseUrl).port),
    onChunk: (_direction, connection) => atBoundary(connection),
  });
  toStripe = await startTcpProxy({ port: Number(new URL(stripe.url).port), onChunk: () => atBoundary() });
  served = await serve();
  price = await makePrice();
});

afterEach(() => {
  atBoundary = async () => true;
});

afterAll(async () => {
  await served?.kill();
  await Promise.all([toDatabase?.close(), toStripe?.close()]);
  await stripe?.close();
  await sql`delete from public.organizations where slug like 'convergence-%'`;
  await sql.end();
});

async function call(path: string, form: Record<string, string>): Promise<{ id: string }> {
  const response = await stripe.standIn.fetch(
    new Request(`${stripe.url}/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET_KEY}` },
      body: new URLSearchParams(form),
    }),
  );
  return (await response.json()) as { id: string };
}

async function makePrice(): Promise<string> {
  const product = await call("products", { name: "Crash" });
  const made = await call("prices", {
    product: product.id,
    currency: "usd",
    unit_amount: "1000",
    "recurring[interval]": "month",
  });
  return made.id;
}

/** A customer with a subscription of which nothing has been told yet, and the event that tells of it. */
async function subscribed() {
  const customer = await call("customers", { payment_method: "pm_card_visa" });
  const places = await linkOrganizations(sql, [customer.id]);
  const { id } = await call("subscriptions", {
    customer: customer.id,
    "items[0][price]": price,
    default_payment_method: "pm_card_visa",
  });
  const event = stripe.standIn.webhooks.waiting.findLast(
    ({ type, body }) => type === "customer.subscription.updated" && body.includes(id),
  );
  if (!event) throw new Error("The subscription made no event.");
  return { event, subscription: id, organization: [...places.values()][0] ?? "" };
}

const deliver = (event: { body: string }) => served.send(sign(event, [WEBHOOK_SECRET])).catch(() => 0);

/** As Stripe does: until it is taken. */
async function redeliver(event: { body: string }): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    if (served.ended) served = await serve();
    if ((await deliver(event)) === 200) return;
  }
  throw new Error("The event is not taken.");
}

async function expectApplied({ event, subscription, organization }: Awaited<ReturnType<typeof subscribed>>) {
  const [kept] = await sql`select status, outcome from private.stripe_events where id = ${event.id}`;
  expect(kept).toEqual({ status: "applied", outcome: "applied" });
  const rows = await sql`
    select stripe_subscription_id as id, status, is_current from public.subscriptions
    where organization_id = ${organization}`;
  expect([...rows]).toEqual([{ id: subscription, status: "active", is_current: true }]);
}

/** Does it at the first boundary, at the second … until the event is through before it comes to that. */
async function atEveryBoundary(crash: (connection?: ProxiedConnection) => Promise<boolean>): Promise<number> {
  for (let boundary = 1; ; boundary++) {
    const life = await subscribed();
    // It has its connections, and what it loads at first use.
    await redeliver((await subscribed()).event);
    let left = boundary;
    let crashed = false;
    atBoundary = async (connection) => {
      left -= 1;
      if (left !== 0) return true;
      crashed = true;
      return await crash(connection);
    };
    await deliver(life.event);
    atBoundary = async () => true;
    await redeliver(life.event);
    await expectApplied(life);
    if (!crashed) return boundary - 1;
  }
}

test("the function's process is killed between any two steps: nothing is lost, and nothing done twice", async () => {
  const boundaries = await atEveryBoundary(async () => {
    await served.kill();
    return true;
  });
  // A ticket, Stripe's answer, and the application, each asked for and answered.
  expect(boundaries).toBeGreaterThanOrEqual(6);
});

test("the database ends the connection between any two steps: nothing is lost, and nothing done twice", async () => {
  const boundaries = await atEveryBoundary(async (connection) => {
    if (connection) {
      await sql`
        select pg_terminate_backend(pid) from pg_stat_activity where client_port = ${connection.upstreamPort ?? 0}`;
    }
    return true;
  });
  expect(boundaries).toBeGreaterThanOrEqual(6);
});

test("killed while the application waits for a lock: what it wrote is there once, or not at all", async () => {
  const life = await subscribed();
  await redeliver((await subscribed()).event);
  let answered: Promise<number> | undefined;
  await sql.begin(async (holder) => {
    await holder`
      select from private.stripe_customers where organization_id = ${life.organization} for update`;
    answered = deliver(life.event);
    const [{ pid } = { pid: 0 }] = await holder<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const waiting = () => sql`select from pg_stat_activity where ${pid} = any (pg_blocking_pids(pid))`;
    await expect.poll(async () => (await waiting()).length, { timeout: 20_000 }).toBeGreaterThan(0);
    await served.kill();
  });
  expect(await answered).toBe(0);
  await redeliver(life.event);
  await expectApplied(life);
});

test("50 deliveries of one event at the same moment are one application", async () => {
  const life = await subscribed();
  if (served.ended) served = await serve();
  const statuses = await Promise.all(Array.from({ length: 50 }, () => deliver(life.event)));
  expect(new Set(statuses)).toEqual(new Set([200]));
  await expectApplied(life);
  const [count] = await sql`
    select attempts from private.stripe_events where id = ${life.event.id}`;
  expect(count).toEqual({ attempts: 1 });
});

test("an event that fails is kept, dead after its last attempt, and replayed", async () => {
  const life = await subscribed();
  if (served.ended) served = await serve();
  stripe.standIn.faults.plan({ status: 500, shouldRetry: false, times: 12, path: /^\/v1\/subscriptions\// });
  for (let attempt = 1; attempt <= 12; attempt++) expect(await deliver(life.event)).toBe(500);
  const [kept] = await sql`
    select status, attempts, last_error from private.stripe_events where id = ${life.event.id}`;
  expect(kept).toEqual({ status: "dead", attempts: 12, last_error: "StripeAPIError 500" });
  await redeliver(life.event);
  await expectApplied(life);
});
