import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { plan } from "../../src/billing/plan-file.ts";
import { syncPlans } from "../../src/billing/sync-plans.ts";
import { createStripeStandIn } from "../../src/stack/stripe/stand-in.ts";
import type { Database } from "../../types/database.ts";

const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
const standIn = createStripeStandIn({ secretKey: "sk_test_standin", webhookSecrets: ["whsec_standin"] });
const stripe = new Stripe("sk_test_standin", {
  httpClient: Stripe.createFetchHttpClient(standIn.fetchForSdk),
  maxNetworkRetries: 0,
});
const supabase = createClient<Database>(project.url, project.secretKey, { auth: { persistSession: false } });

const key = "synced";
const product = `nectar_${key}`;
const sold = plan.parse({
  key,
  name: "Synced",
  is_public: false,
  limits: { seats: 5, applications: 10 },
  prices: [{ interval: "month", currency: "eur", unit_amount: 900 }],
});

async function sync(changes: object = {}, dryRun = false) {
  const lines: string[] = [];
  const say = (line: string) => void (line.startsWith("!") || lines.push(line));
  const plans = [plan.parse({ ...sold, ...changes })];
  const differences = await syncPlans({ stripe, supabase, plans, livemode: false, dryRun, say });
  return { lines, differences };
}
const pricesHere = async () =>
  (
    await sql`select unit_amount::integer as amount, active from public.plan_prices where plan_key = ${key} and interval = 'month' and metric is null order by 1`
  ).map(({ amount, active }) => [amount, active]);

const forget = async () => {
  await sql`delete from public.plan_prices where plan_key = ${key}`;
  await sql`delete from public.plan_limits where plan_key = ${key}`;
  await sql`delete from public.plans where key = ${key}`;
};
beforeAll(async () => {
  await forget();
  await sync();
});
afterAll(async () => {
  await forget();
  await sql.end();
});

test("a dry run tells what would differ in the database too, and changes nothing", async () => {
  const changes = { name: "Renamed", grace_days: 9, limits: { seats: null, applications: 11 } };
  const expected = [
    `~ product ${product} "Synced" → "Renamed"`,
    `~ plan ${key}: name "Synced" → "Renamed"`,
    `~ plan ${key}: grace_days 7 → 9`,
    `~ plan ${key}: limits.seats 5 → without limit`,
    `~ plan ${key}: limits.applications 10 → 11`,
  ];
  expect((await sync(changes, true)).lines.toSorted()).toEqual(expected.toSorted());
  expect(await sync({}, true)).toEqual({ lines: [], differences: 0 });
  expect((await sync(changes)).lines.toSorted()).toEqual(expected.toSorted());
  expect(await sync(changes)).toEqual({ lines: [], differences: 0 });
  await sync();
});

test("prices that somebody made by hand do not stand in the way, whatever they are", async () => {
  const common = { product, currency: "eur", unit_amount: 5 };
  const { id: meter } = await stripe.billing.meters.create({
    display_name: "By hand",
    event_name: "by_hand",
    default_aggregation: { formula: "last" },
  });
  for (const recurring of [
    { interval: "week" },
    { interval: "month", interval_count: 3 },
    { interval: "month", usage_type: "metered", meter },
  ] satisfies Stripe.PriceCreateParams.Recurring[]) {
    await stripe.prices.create({ ...common, recurring });
  }
  await stripe.prices.create(common);
  expect((await sync()).lines.filter((line) => line.includes("no longer sold"))).toHaveLength(4);
  expect(await sync()).toEqual({ lines: [], differences: 0 });
  // Whoever has the one that is metered is still to have their usage reported.
  expect(await pricesHere()).toEqual([[900, true]]);
  expect(
    await sql`select metric, active from public.plan_prices where plan_key = ${key} and metric is not null`,
  ).toEqual([{ metric: "by_hand", active: false }]);
});

const METRIC = "requests_of_synced";
const monthly = { interval: "month", currency: "eur", unit_amount: 900 };
const yearly = { interval: "year", currency: "eur", unit_amount: 9000 };
const metered = (unit_amount: number | string, value = 1000, prices = [monthly]) => ({
  limits: { seats: 5, [`${METRIC}.per_month`]: { value, overage: true } },
  prices: prices.map((price) => ({ ...price, metered: { [METRIC]: unit_amount } })),
});
const metersHere = () =>
  Object.values(standIn.account.books.meters).filter(({ event_name }) => event_name === METRIC);
const ratesHere = () => sql`
  select lookup_key, unit_rate::text as rate, included::integer, active from public.plan_prices
  where plan_key = ${key} and metric = ${METRIC} order by active, included, unit_rate`;

describe("what is billed by usage", () => {
  beforeAll(async () => {
    await sql`
      insert into public.entitlement_keys (key, unit, default_value, description)
      values (${`${METRIC}.per_month`}, 'per_month', 0, 'Of a test.')`;
  });
  afterAll(async () => {
    await forget();
    await sql`delete from public.entitlement_keys where key = ${`${METRIC}.per_month`}`;
  });

  test("its meter and prices are made once, whoever runs it again, and a dry run makes nothing", async () => {
    const changes = metered("0.050", 1000, [monthly, yearly]);
    const expected = [
      `+ meter ${METRIC}`,
      `+ price ${key}_month_eur_${METRIC} EUR 0.0005 each beyond 1000`,
      `+ price ${key}_year_eur EUR 90.00`,
      `+ price ${key}_year_eur_${METRIC} EUR 0.0005 each beyond 12000`,
    ];
    const told = async (dryRun: boolean) =>
      (await sync(changes, dryRun)).lines.filter((line) => !line.startsWith("~ plan"));
    expect(await told(true)).toEqual(expected);
    expect(metersHere()).toEqual([]);
    expect(await told(false)).toEqual(expected);
    expect(await sync(changes)).toEqual({ lines: [], differences: 0 });
    expect(metersHere()).toMatchObject([
      {
        status: "active",
        default_aggregation: { formula: "sum" },
        customer_mapping: { type: "by_id", event_payload_key: "stripe_customer_id" },
        value_settings: { event_payload_key: "value" },
      },
    ]);
    expect(await ratesHere()).toEqual([
      { lookup_key: `${key}_month_eur_${METRIC}`, rate: "0.05", included: 1000, active: true },
      { lookup_key: `${key}_year_eur_${METRIC}`, rate: "0.05", included: 12000, active: true },
    ]);
  });

  test("another rate, or another amount that is included, is another price; the old one stays for who has it", async () => {
    await sync(metered("0.05"));
    expect((await sync(metered(2))).lines).toEqual([
      `+ price ${key}_month_eur_${METRIC} EUR 0.02 each beyond 1000`,
      `- price ${key}_month_eur_${METRIC} EUR 0.0005 each beyond 1000: no longer sold`,
      `~ plan ${key}: its prices in the database`,
    ]);
    await sync(metered(2, 0));
    expect(await sync(metered(2, 0))).toEqual({ lines: [], differences: 0 });
    expect((await ratesHere()).filter(({ active }) => active)).toEqual([
      { lookup_key: `${key}_month_eur_${METRIC}`, rate: "2", included: 0, active: true },
    ]);
  });

  test("interrupted anywhere, the next run brings it to an end, and makes nothing twice", async () => {
    for (const afterwards of [false, true]) {
      const changes = metered(afterwards ? "0.7" : "0.6", afterwards ? 70 : 60);
      // To make the new price, then to take the old one off sale.
      for (const path of [/^\/v1\/prices$/, /^\/v1\/prices\/./]) {
        standIn.faults.plan({ method: "POST", path, status: 500, shouldRetry: false, afterwards });
        await expect(sync(changes)).rejects.toThrow();
      }
      await sync(changes);
      expect(await sync(changes)).toEqual({ lines: [], differences: 0 });
      const sold = Object.values(standIn.account.books.prices).filter(
        (price) => price.product === product && price.active && price.recurring?.usage_type === "metered",
      );
      expect(sold).toHaveLength(1);
    }
    expect(metersHere()).toHaveLength(1);
  });

  test("a meter that was switched off is switched on again, and one that counts otherwise is refused", async () => {
    const [meter] = metersHere();
    await stripe.billing.meters.deactivate(meter?.id as string);
    expect((await sync(metered(3))).lines).toContain(`~ meter ${METRIC}: active again`);
    expect(metersHere()).toMatchObject([{ status: "active" }]);

    await stripe.billing.meters.deactivate(meter?.id as string);
    await stripe.billing.meters.create({
      display_name: "Last",
      event_name: METRIC,
      default_aggregation: { formula: "last" },
    });
    await expect(sync(metered(3), true)).rejects.toThrow("does not add up the values");
  });

  test("a plan file that contradicts itself is refused", () => {
    const [paid] = metered(1).prices;
    const wrong = [
      { ...metered(1), prices: [monthly] },
      { ...metered(1), limits: { seats: 5 } },
      { ...metered("1.0000000000001") },
      { ...metered(-1) },
      { ...metered(1), kind: "addon" },
      { limits: { applications: { value: 5, overage: true } }, prices: [] },
      { limits: { [`${METRIC}.per_month`]: { value: null, overage: true } }, prices: [paid] },
    ];
    for (const changes of wrong) {
      expect([changes, plan.safeParse({ ...sold, ...changes }).success]).toEqual([changes, false]);
    }
  });
});

test("a new amount takes over, and what has no price any more is not sold", async () => {
  await sync({ prices: [{ interval: "month", currency: "eur", unit_amount: 950 }] });
  expect(await pricesHere()).toEqual([
    [900, false],
    [950, true],
  ]);
  await sync({ prices: [] });
  expect(await pricesHere()).toEqual([
    [900, false],
    [950, false],
  ]);
});
