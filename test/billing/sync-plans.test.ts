import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import Stripe from "stripe";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
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
  limits: { seats: 5, applications: { value: 10, overage: true } },
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
    await sql`select unit_amount::integer as amount, active from public.plan_prices where plan_key = ${key} order by 1`
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
  const changes = { name: "Renamed", grace_days: 9, limits: { seats: null, applications: 10 } };
  const expected = [
    `~ product ${product} "Synced" → "Renamed"`,
    `~ plan ${key}: name "Synced" → "Renamed"`,
    `~ plan ${key}: grace_days 7 → 9`,
    `~ plan ${key}: limits.seats 5 → without limit`,
    `~ plan ${key}: limits.applications 10, then billed → 10`,
  ];
  expect((await sync(changes, true)).lines.toSorted()).toEqual(expected.toSorted());
  expect(await sync({}, true)).toEqual({ lines: [], differences: 0 });
  expect((await sync(changes)).lines.toSorted()).toEqual(expected.toSorted());
  expect(await sync(changes)).toEqual({ lines: [], differences: 0 });
  await sync();
});

test("prices that somebody made by hand do not stand in the way, whatever they are", async () => {
  const common = { product, currency: "eur", unit_amount: 5 };
  for (const recurring of [
    { interval: "week" },
    { interval: "month", interval_count: 3 },
    { interval: "month", usage_type: "metered" },
  ] satisfies Stripe.PriceCreateParams.Recurring[]) {
    await stripe.prices.create({ ...common, recurring });
  }
  await stripe.prices.create(common);
  expect((await sync()).lines.filter((line) => line.includes("no longer sold"))).toHaveLength(4);
  expect(await sync()).toEqual({ lines: [], differences: 0 });
  expect(await pricesHere()).toEqual([[900, true]]);
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
