import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import Stripe from "stripe";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createDecisions } from "../../functions/_shared/decisions.ts";
import { normalizeSubscription } from "../../functions/_shared/stripe-objects.ts";
import { createApp } from "../../functions/api/app.ts";
import { createIngest } from "../../functions/api/usage.ts";
import { reportMeter } from "../../functions/maintenance/report-meter.ts";
import { plan } from "../../src/billing/plan-file.ts";
import { syncPlans } from "../../src/billing/sync-plans.ts";
import { createStripeStandIn } from "../../src/stack/stripe/stand-in.ts";
import type { Database } from "../../types/database.ts";
import { sameMonth } from "../support/month.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";
import { rollUpAll } from "../support/usage.ts";
import { asPostgres } from "./places.ts";

// What a plan grants, from the price at Stripe to the answer that a key gets: each change holds at the next request.
const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 2, onnotice() {} });
const supabase = createClient<Database>(project.url, project.secretKey, { auth: { persistSession: false } });
const { account, fetchForSdk } = createStripeStandIn({ secretKey: "sk_test_standin", webhookSecrets: [] });
const stripe = new Stripe("sk_test_standin", {
  httpClient: Stripe.createFetchHttpClient(fetchForSdk),
  maxNetworkRetries: 0,
});
const api = createApp({
  decisions: createDecisions(asPostgres(sql)),
  ingest: createIngest(asPostgres(sql)),
  ipHeader: "cf-connecting-ip",
  log: () => {},
});

const PLANS = { hard: 3, larger: 5, soft: { value: 2, overage: true } };
const priced = (limit: unknown) => [
  {
    interval: "month",
    currency: "eur",
    unit_amount: 1000,
    metered: typeof limit === "object" ? { api_requests: "12.5" } : {},
  },
];

let ada: Person;
let id: string;
let secret: string;
let subscription: Stripe.Subscription;

beforeAll(async () => {
  // What one test has used, the next one goes on with.
  await sameMonth(60_000);
  const plans = Object.entries(PLANS).map(([name, limit]) =>
    plan.parse({
      key: `metered-${name}`,
      name,
      is_public: false,
      limits: {
        "api_requests.per_month": limit,
        "api_requests.per_second": null,
        "key_requests.per_second": null,
      },
      prices: priced(limit),
    }),
  );
  await syncPlans({ stripe, supabase, plans, livemode: false, dryRun: false, say: () => {} });
  ada = await signUp(project, "Ada");
  ({ id } = must(await ada.organizations.create({ name: "Metered", slug: uniqueSlug("metered") })));
  const application = must(
    await ada.supabase
      .from("applications")
      .insert({ organization_id: id, name: "Mill", slug: "mill" })
      .select()
      .single(),
  );
  ({ secret } = must(
    await ada.keys.create(application.id, { name: "Server", scopes: ["applications.read"] }),
  ));
  const customer = await stripe.customers.create({
    payment_method: "pm_card_visa",
    invoice_settings: { default_payment_method: "pm_card_visa" },
    metadata: { organization_id: id },
  });
  await sql`select public.link_stripe_customer(${id}, ${customer.id}, false)`;
  subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price("hard") }],
    metadata: { organization_id: id },
  });
  await tell();
});
afterAll(async () => {
  await sql`delete from private.outbox where organization_id = ${id}`;
  await sql`delete from public.organizations where id = ${id}`;
  await sql.end();
});

const byLookupKey = (key: string) =>
  Object.values(account.books.prices).find(({ lookup_key }) => lookup_key === key)?.id;
const price = (name: string) => byLookupKey(`metered-${name}_month_eur`) as string;
const metricPrice = (name: string) => byLookupKey(`metered-${name}_month_eur_api_requests`);

/** What the webhook does with a subscription. */
async function tell(otherwise: Partial<Stripe.Subscription> = {}) {
  const known = normalizeSubscription({
    ...(await stripe.subscriptions.retrieve(subscription.id)),
    ...otherwise,
  });
  const [stored] = await sql`
    select public.apply_stripe_object(ticket, ${JSON.stringify(known)}::text::jsonb) ->> 'outcome' as outcome
    from public.stripe_ticket()`;
  expect(stored).toEqual({ outcome: "applied" });
}

async function choose(name: string) {
  const [item, ...metered] = (await stripe.subscriptions.retrieve(subscription.id)).items.data;
  const byUsage = metricPrice(name);
  await stripe.subscriptions.update(subscription.id, {
    items: [
      { id: item?.id as string, price: price(name) },
      ...metered.map(({ id }) => ({ id, deleted: true })),
      ...(byUsage ? [{ price: byUsage }] : []),
    ],
  });
  await tell();
}

async function ping(): Promise<string> {
  const response = await api.request("/api/ping", { headers: { "x-api-key": secret } });
  const body = (await response.json()) as { error?: { code: string } };
  return `${response.status} ${body.error?.code ?? response.headers.get("ratelimit")?.replace(/;t=\d+/, "")}`;
}

test("a quota ends, and a larger plan goes on at the next request", async () => {
  const answers = [];
  for (let n = 0; n < 4; n++) answers.push(await ping());
  expect(answers).toEqual(['200 "month";r=2', '200 "month";r=1', '200 "month";r=0', "429 quota_exceeded"]);
  await choose("larger");
  expect(await ping()).toBe('200 "month";r=1');
  await choose("hard");
  expect(await ping()).toBe("429 quota_exceeded");
});

test("a plan that was bought with overage admits beyond its quota, and Stripe hears of each hour once", async () => {
  // What was used before is none of it.
  await sql`update private.request_log set occurred_at = now() - interval '10 minutes' where organization_id = ${id}`;
  await choose("soft");
  for (let n = 0; n < 3; n++) expect(await ping()).toBe('200 "month";r=0');
  const limits = must(await ada.limits.list(id));
  expect(limits.find(({ metric }) => metric === "api_requests")).toMatchObject({
    maximum: 2,
    used: 7,
    overage: true,
    state: "exceeded",
  });

  // The hour passes.
  await sql`
    with used as (
      update private.request_log set occurred_at = occurred_at - interval '3 hours' where organization_id = ${id}
    )
    update private.metered_spans set starts_at = starts_at - interval '3 hours' where organization_id = ${id}`;
  for (let run = 0; run < 2; run++) {
    await sql`select private.drain_request_log()`;
    await rollUpAll(sql, id);
    await sql`select private.report_meters()`;
  }
  const messages = await sql`
    select id::integer, organization_id, payload, 1 as attempts from private.outbox
    where kind = 'stripe.meter' and organization_id = ${id}`;
  expect(messages).toHaveLength(1);
  const consumer = reportMeter({ configured: true, livemode: false, client: () => Promise.resolve(stripe) });
  // A lost answer: maintenance sends it again.
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await consumer.consume(messages[0] as never, () => false, supabase as never)).toBe(true);
  }
  expect(Object.values(account.books.meterEvents)).toMatchObject([
    { event_name: "api_requests", payload: { stripe_customer_id: subscription.customer, value: "3" } },
  ]);
});

test("a suspended subscription is asked for payment at the next request, and good again once it has paid", async () => {
  await tell({ status: "unpaid" });
  expect(await ping()).toBe("402 payment_required");
  await tell();
  expect(await ping()).toBe('200 "month";r=0');
});

test("a subscription that is over: the free plan holds, with what was used", async () => {
  await stripe.subscriptions.cancel(subscription.id);
  await tell();
  expect(await ping()).toMatch(/^200 "burst";r=\d+, "month";r=9991$/);
});

test("a closed organization is refused at once", async () => {
  must({ data: true, error: (await ada.organizations.close(id)).error });
  expect(await ping()).toBe("403 organization_closed");
});
