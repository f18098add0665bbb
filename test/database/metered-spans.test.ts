import postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { type Crowd, gather } from "../support/crowd.ts";
import { ingest, rollUpAll } from "../support/usage.ts";

// What is billed by usage: all of it from the second in which it is bought, and nothing of before.
const sql = postgres(inject("project").databaseUrl, { max: 2, onnotice() {} });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const METRIC = "api_requests";
const key = "spans";

let crowd: Crowd;
let id: string;
/** The beginning of an hour that is over. */
let hour: number;

beforeAll(async () => {
  const price = (name: string, metric?: string) => ({
    stripe_price_id: `price_${name}`,
    interval: "month",
    currency: "eur",
    ...(metric ? { metric, unit_rate: "0.5", included: 0 } : { unit_amount: 100 }),
    livemode: false,
  });
  const prices = [price("span"), price("span_used", METRIC), price("span_dearer", METRIC)];
  const plan = {
    key,
    name: "Spans",
    limits: [{ key: `${METRIC}.per_month`, value: 0, overage: true }],
    prices,
  };
  await sql`select public.sync_plan(${JSON.stringify(plan)}::text::jsonb)`;
});
beforeEach(async () => {
  crowd = await gather(sql);
  id = crowd.organization;
  hour = Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR;
  await sql`select public.link_stripe_customer(${id}, ${`cus_${id}`}, false)`;
});
afterEach(async () => {
  await sql`delete from private.outbox where organization_id = ${id}`;
  await crowd.disband();
});
afterAll(async () => {
  for (const table of ["plan_prices", "plan_limits"]) {
    await sql`delete from ${sql(`public.${table}`)} where plan_key = ${key}`;
  }
  await sql`delete from public.plans where key = ${key}`;
  await sql.end();
});

type Item = [name: string, minute: number];

/** What Stripe says of a subscription, at the time at which we hear of it. Minutes are the hour's. */
async function hear(name: string, began: number, items: Item[], ended?: number) {
  const seconds = (minute: number) => Math.floor((hour + minute * MINUTE) / 1000);
  const subscription = {
    kind: "subscription",
    id: `sub_${name}_${id}`,
    customer_id: `cus_${id}`,
    livemode: false,
    status: ended === undefined ? "active" : "canceled",
    ended_at: ended === undefined ? null : seconds(ended),
    currency: "eur",
    created: seconds(began),
    items: items.map(([price, minute]) => ({
      id: `si_${name}_${price}_${id}`,
      price_id: `price_${price}`,
      metered: price !== "span",
      created: seconds(minute),
    })),
  };
  await sql`
    select public.apply_stripe_object(ticket, ${JSON.stringify(subscription)}::text::jsonb)
    from public.stripe_ticket()`;
}

/** So much used in so many minutes of the hour, each known by its time. */
const use = (...events: [minute: number, quantity: number][]) =>
  ingest(
    sql,
    id,
    events.map(([minute, quantity]) => ({
      idempotency_key: crypto.randomUUID(),
      metric: METRIC,
      quantity,
      occurred_at: new Date(hour + Math.round(minute * MINUTE)).toISOString(),
    })),
  );

async function report() {
  await rollUpAll(sql, id);
  await sql`select private.report_meters()`;
}

/** What Stripe was told, in the order of telling: the minute it counts for, and how much. */
async function told(): Promise<[number, number][]> {
  const messages = await sql<{ at: Date; quantity: number }[]>`
    select (payload ->> 'at')::timestamptz as at, (payload ->> 'quantity')::integer as quantity
    from private.outbox where kind = 'stripe.meter' and organization_id = ${id} order by id`;
  return messages.map(({ at, quantity }) => [(at.getTime() - hour) / MINUTE, quantity]);
}

test("a plan that is bought in the middle of an hour: what came before is not billed, and all of what comes after", async () => {
  await hear("one", -600, [["span", -600]]);
  await use([-5, 1], [10, 2], [20.5 - 1 / 60, 4]);
  await hear("one", -600, [
    ["span", -600],
    ["span_used", 20.5],
  ]);
  await use([20.5, 8], [59, 16], [60, 32], [130, 64]);
  await report();
  // As of a minute that is wholly the subscription's.
  expect(await told()).toEqual([
    [21, 8 + 16],
    [60, 32],
    [120, 64],
  ]);
  await use([15, 128], [30, 256], [61, 512]);
  await report();
  await report();
  expect((await told()).slice(3)).toEqual([
    [21, 256],
    [60, 512],
  ]);
});

test("heard of late, when all was rolled up already: nothing is lost", async () => {
  await use([10, 1], [30, 2], [70, 4]);
  await report();
  expect(await told()).toEqual([]);
  await hear("one", 20, [
    ["span", 20],
    ["span_used", 20],
  ]);
  await report();
  expect(await told()).toEqual([
    [21, 2],
    [60, 4],
  ]);
});

test("from one such plan to another: each event once, and what Stripe has not heard of counts for the new one", async () => {
  await hear("one", 5, [
    ["span", 5],
    ["span_used", 5],
  ]);
  await use([1, 1], [10, 2], [50, 4], [70, 8]);
  await hear("one", 5, [
    ["span", 5],
    ["span_dearer", 40],
  ]);
  await report();
  expect(await told()).toEqual([
    [41, 2 + 4],
    [60, 8],
  ]);
});

test("an hour of two subscriptions is told of each, and what was used between them of none", async () => {
  await hear("one", -60, [
    ["span", -60],
    ["span_used", -60],
  ]);
  await use([5, 1], [15, 2], [35, 4]);
  await hear(
    "one",
    -60,
    [
      ["span", -60],
      ["span_used", -60],
    ],
    10,
  );
  await hear("two", 30, [
    ["span", 30],
    ["span_used", 30],
  ]);
  await report();
  expect((await told()).toSorted(([a], [b]) => a - b)).toEqual([
    [0, 1],
    [31, 4],
  ]);
});

test("a second subscription beside it is told of once, and an agreement of its own not at all", async () => {
  const items: Item[] = [
    ["span", -60],
    ["span_used", -60],
  ];
  await hear("one", -60, items);
  await hear("two", 30, [
    ["span", 30],
    ["span_used", 30],
  ]);
  await use([10, 1], [40, 2]);
  await report();
  expect((await told()).reduce((sum, [, quantity]) => sum + quantity, 0)).toBe(3);

  await sql`
    insert into public.entitlement_overrides (organization_id, key, value, reason)
    values (${id}, ${`${METRIC}.per_month`}, 1000000, 'Agreed on.')`;
  await use([45, 4]);
  await report();
  await sql`delete from public.entitlement_overrides where organization_id = ${id}`;
  await use([46, 8]);
  await report();
  expect((await told()).slice(-1)).toEqual([[0, 8]]);
});

test("what was used while an agreement held is not billed when it has expired since", async () => {
  await hear("one", -60, [
    ["span", -60],
    ["span_used", -60],
  ]);
  await sql`
    insert into public.entitlement_overrides (organization_id, key, value, reason, expires_at)
    values (${id}, ${`${METRIC}.per_month`}, null, 'Agreed on.', ${new Date(hour + HOUR)})`;
  await use([10, 1], [70, 2]);
  await report();
  // Late, and of the same hours.
  await use([20, 4], [80, 8]);
  await report();
  expect(await told()).toEqual([
    [60, 2],
    [60, 8],
  ]);
});

test("whatever comes first: usage, the subscription, the rollup or the report, Stripe is told the same", async () => {
  const used: [number, number][] = Array.from({ length: 40 }, (_, n) => [n * 4.5 - 30, n + 1]);
  const began = 17.25;
  const due = used.filter(([minute]) => minute >= began).reduce((sum, [, quantity]) => sum + quantity, 0);
  const steps: (() => Promise<unknown>)[] = [
    ...Array.from({ length: 8 }, (_, n) => () => use(...used.slice(n * 5, n * 5 + 5))),
    () => hear("one", -90, [["span", -90]]),
    () =>
      hear("one", -90, [
        ["span", -90],
        ["span_used", began],
      ]),
    report,
    report,
    () => rollUpAll(sql, id),
    () => sql`select private.report_meters()`,
  ];
  for (let round = 0; round < 10; round++) {
    const order = steps.map((step, n) => ({ step, n, at: Math.random() })).toSorted((a, b) => a.at - b.at);
    // What is not metered any more comes before what is.
    const [before, after] = order.filter(({ n }) => n === 8 || n === 9);
    if (before && after && before.n === 9) [before.step, after.step] = [after.step, before.step];
    for (const { step } of order) await step();
    await report();
    const sum = (await told()).reduce((total, [, quantity]) => total + quantity, 0);
    expect([sum, order.map(({ n }) => n)]).toEqual([due, order.map(({ n }) => n)]);

    await sql`delete from private.outbox where organization_id = ${id}`;
    await crowd.disband();
    crowd = await gather(sql);
    id = crowd.organization;
    await sql`select public.link_stripe_customer(${id}, ${`cus_${id}`}, false)`;
  }
});
