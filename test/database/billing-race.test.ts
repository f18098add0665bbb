import { randomUUID } from "node:crypto";
import postgres, { type JSONValue } from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { type Crowd, gather, tally } from "../support/crowd.ts";

const sql = postgres(inject("project").databaseUrl, { max: 50, onnotice() {} });
afterAll(() => sql.end());

let crowd: Crowd;
let owner: string;
let customer: string;

beforeEach(async () => {
  crowd = await gather(sql);
  [owner = ""] = await crowd.people(1, "owner");
  customer = `cus_${randomUUID()}`;
});
afterEach(() => crowd.disband());

const link = async (customerId: string) => {
  const [linked] = await sql`
    select public.link_stripe_customer(${crowd.organization}, ${customerId}, false) as customer`;
  return linked?.["customer"] as string;
};

type Json = Record<string, JSONValue>;
const subscription = (otherwise: Json = {}): Json => ({
  kind: "subscription",
  id: `sub_${customer}`,
  customer_id: customer,
  livemode: false,
  status: "active",
  currency: "eur",
  created: 1_700_000_000,
  items: [{ id: `si_${customer}`, price_id: "price_unknown", quantity: 1 }],
  ...otherwise,
});
const event = (id: string): Json => ({
  id,
  type: "customer.subscription.updated",
  created: 1_700_000_000,
  livemode: false,
  data: { object: { id: `sub_${customer}` } },
});
const ticket = async () => {
  const [drawn] = await sql`select ticket from public.stripe_ticket()`;
  return drawn?.["ticket"] as string;
};
const apply = async (eventId: string, drawn: string, object: Json) => {
  const [applied] = await sql`
    select public.apply_stripe_event(${sql.json(event(eventId))}, ${drawn}, ${sql.json(object)}) ->> 'outcome'
      as outcome`;
  return applied?.["outcome"] as string;
};
const counted = (outcomes: string[]) =>
  Object.fromEntries([...new Set(outcomes)].map((one) => [one, outcomes.filter((o) => o === one).length]));

test("20 first clicks at the same moment make one customer, and all are told which", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => link(`${customer}_${n}`)));
  expect(new Set(answers).size).toBe(1);
  const stored = await sql`
    select customer_id from private.stripe_customers where organization_id = ${crowd.organization}`;
  expect(stored.map((row) => row["customer_id"])).toEqual([answers[0]]);
});

test("50 deliveries of one event at the same moment: one is applied, 49 are duplicates", async () => {
  await link(customer);
  const id = `evt_${randomUUID()}`;
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, async () => apply(id, await ticket(), subscription())),
  );
  expect(counted(outcomes)).toEqual({ applied: 1, duplicate: 49 });
  const ledger = await sql`select status, attempts from private.stripe_events where id = ${id}`;
  expect(ledger).toEqual([{ status: "applied", attempts: 1 }]);
});

test("50 events of one subscription at the same moment, each with its state: that of the highest ticket stays", async () => {
  await link(customer);
  const tickets: string[] = [];
  for (let n = 0; n < 50; n++) tickets.push(await ticket());
  const outcomes = await Promise.all(
    tickets.map((drawn, n) =>
      apply(
        `evt_${randomUUID()}`,
        drawn,
        subscription({ items: [{ id: `si_${customer}`, price_id: "price_unknown", quantity: n + 1 }] }),
      ),
    ),
  );
  expect(outcomes.filter((outcome) => outcome !== "applied" && outcome !== "stale")).toEqual([]);
  const [stored] =
    await sql`select quantity from public.subscriptions where organization_id = ${crowd.organization}`;
  expect(stored?.["quantity"]).toBe(50);
});

test("subscriptions of one organization at the same moment: one is current, the first, and the others are asked about", async () => {
  await link(customer);
  await Promise.all(
    Array.from({ length: 20 }, async (_, n) =>
      apply(
        `evt_${randomUUID()}`,
        await ticket(),
        subscription({
          id: `sub_${customer}_${n}`,
          created: 1_700_000_000 + n,
          items: [{ id: `si_${customer}_${n}`, price_id: "price_unknown", quantity: 1 }],
        }),
      ),
    ),
  );
  const current = await sql`
    select stripe_subscription_id as id from public.subscriptions
    where organization_id = ${crowd.organization} and is_current`;
  expect(current).toEqual([{ id: `sub_${customer}_0` }]);
  const asked = await sql`
    select id from private.outbox where kind = 'billing.second' and organization_id = ${crowd.organization}`;
  expect(asked).toHaveLength(1);
  await sql`delete from private.outbox where organization_id = ${crowd.organization}`;
});

test("a failure noted beside a success does not take it back, whoever comes first", async () => {
  await link(customer);
  const id = `evt_${randomUUID()}`;
  await Promise.all(
    Array.from({ length: 20 }, async (_, n) =>
      n % 2 === 0
        ? apply(id, await ticket(), subscription())
        : sql`select public.fail_stripe_event(${sql.json(event(id))}, 'cut off')`,
    ),
  );
  const [row] = await sql`select status from private.stripe_events where id = ${id}`;
  expect(row?.["status"]).toBe("applied");
});

test("events while the organization is purged: neither waits for the other for ever, and nothing is left", async () => {
  await link(customer);
  const attempts = await Promise.allSettled([
    ...Array.from({ length: 20 }, async () => apply(`evt_${randomUUID()}`, await ticket(), subscription())),
    sql`delete from public.organizations where id = ${crowd.organization}`,
  ]);
  expect(tally(attempts)).toEqual({ done: 21 });
  expect(
    await sql`select from public.subscriptions where organization_id = ${crowd.organization}`,
  ).toHaveLength(0);
});

test("20 applications at the same moment with room for three: three are created", async () => {
  await sql`
    update public.entitlement_overrides set value = 3
    where organization_id = ${crowd.organization} and key = 'applications'`;
  const attempts = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) =>
      crowd.as(
        owner,
        (request) => request`
          insert into public.applications (organization_id, name, slug)
          values (${crowd.organization}, 'One', ${`one-${n}`})`,
      ),
    ),
  );
  expect(tally(attempts)).toEqual({ done: 3, limit_reached: 17 });
});

test("a price that is moved to another plan beside webhooks: none fails, and none stores the plan that it belonged to", async () => {
  const plans = ["one", "two"].map((name) => `${name}-${crowd.organization.slice(0, 8)}`);
  const price = (name: string) => `price_${name}_${crowd.organization}`;
  const month = { interval: "month", currency: "eur", unit_amount: 900, livemode: false };
  const sync = async (request: postgres.ISql, plan: number, prices: string[]) => {
    const sold = prices.map((name) => ({ ...month, stripe_price_id: price(name) }));
    await request`
      select public.sync_plan(${sql.json({ key: plans[plan] as string, name: "Moved", prices: sold })})`;
  };
  const hear = async (request: postgres.ISql, name: string) => {
    const items = [{ id: `si_${customer}_${name}`, price_id: price(name), quantity: 1 }];
    const object = subscription({ id: `sub_${customer}_${name}`, items });
    await request`select public.apply_stripe_object(${await ticket()}, ${sql.json(object)})`;
  };
  const waiting = () => sql`select from pg_locks where not granted`;
  const stored = () =>
    sql`select plan_key from public.subscription_items where organization_id = ${crowd.organization} order by 1`;
  await link(customer);
  await sync(sql, 0, ["moved", "other"]);
  let beside: Promise<unknown> | undefined;
  await sql.begin(async (transaction) => {
    await sync(transaction, 1, ["moved"]);
    beside = hear(sql, "moved");
    await vi.waitFor(async () => expect([...(await waiting()), ...(await stored())]).not.toEqual([]));
  });
  await beside;
  expect(await stored()).toEqual([{ plan_key: plans[1] }]);

  // What a webhook locks: its customer, then its plan.
  await sql.begin(async (transaction) => {
    await hear(transaction, "moved");
    beside = sync(sql, 0, ["moved", "other"]);
    await vi.waitFor(async () => expect(await waiting()).not.toEqual([]));
    await hear(transaction, "other");
  });
  await beside;
  expect(await stored()).toEqual([{ plan_key: plans[0] }, { plan_key: plans[0] }]);

  await sql`delete from private.outbox where organization_id = ${crowd.organization}`;
  await sql`delete from public.organizations where id = ${crowd.organization}`;
  await sql`delete from public.plan_prices where plan_key = any (${plans})`;
  await sql`delete from public.plans where key = any (${plans})`;
});

test("a member who is joining while a consumer looks is counted: by it, or by the next", async () => {
  const plan = `plan-${crowd.organization.slice(0, 8)}`;
  const price = `price_${crowd.organization}`;
  await sql`
    select public.sync_plan(${sql.json({
      key: plan,
      name: "By member",
      seat_billing: "per_member",
      prices: [
        { stripe_price_id: price, interval: "month", currency: "eur", unit_amount: 900, livemode: false },
      ],
    })})`;
  await link(customer);
  await apply(
    `evt_${randomUUID()}`,
    await ticket(),
    subscription({ items: [{ id: `si_${customer}`, price_id: price, quantity: 1 }] }),
  );
  const [second = "", third = "", fourth = ""] = await crowd.people(3);
  const join = (request: postgres.ISql, userId: string) => request`
    insert into public.memberships (organization_id, user_id, role_key)
    values (${crowd.organization}, ${userId}, 'viewer')`;
  const claim = async () => {
    const claimed = await sql`select organization_id from public.claim_outbox('billing.seats', 100)`;
    return claimed.filter((row) => row["organization_id"] === crowd.organization).length;
  };
  const members = async () =>
    (await sql`select members from public.billing_seats(${crowd.organization})`)[0]?.["members"] as number;

  await join(sql, second);
  await sql.begin(async (transaction) => {
    await join(transaction, third);
    // It would count two, and nobody would tell Stripe of the third.
    expect(await claim()).toBe(0);
  });
  // Other tests may hold entries for a moment, and a claim skips what is held.
  const claimed = () => vi.waitFor(async () => expect(await claim()).toBe(1), { timeout: 20_000 });
  await claimed();
  expect(await members()).toBe(3);
  await join(sql, fourth);
  await claimed();

  await sql`delete from public.organizations where id = ${crowd.organization}`;
  await sql`delete from public.plan_prices where plan_key = ${plan}`;
  await sql`delete from public.plans where key = ${plan}`;
});
