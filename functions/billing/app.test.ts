import assert from "node:assert/strict";
import Stripe from "stripe";
import { AppError, type ErrorBody, type ErrorCode, errorCodes } from "../_shared/errors.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import type { Backend, BillingContext } from "./backend.ts";

const { keys, publishableKey, signToken } = await createTestProject();
const organization_id = crypto.randomUUID();
const headers = {
  authorization: `Bearer ${await signToken({ email: "ada@example.com" })}`,
  apikey: publishableKey,
  "content-type": "application/json",
};

const subscribed: BillingContext = {
  organization: { id: organization_id, name: "Acme", slug: "acme" },
  customer_id: "cus_1",
  livemode: false,
  seats: { used: 2, limit: 5, billing: "included" },
  subscription: {
    id: "sub_1",
    status: "active",
    currency: "eur",
    quantity: 1,
    cancel_at: null,
    cancel_at_period_end: false,
    items: [{ id: "si_1", price_id: "price_1", plan_key: "pro", kind: "plan", quantity: 1, metered: false }],
  },
};
const unsubscribed: BillingContext = { ...subscribed, subscription: null };

type Answer = { status: number; body: unknown } | "no connection";

/** Answers every request to Stripe alike, or by path. */
function createTestApp(options: {
  backend?: Partial<Backend>;
  context?: BillingContext;
  stripe?: (path: string, form: URLSearchParams) => Answer;
  livemode?: boolean;
} = {}) {
  const { livemode = false } = options;
  const { log, lines } = createTestLog();
  const asked: { path: string; form: URLSearchParams }[] = [];
  const applied: [number, unknown][] = [];
  const backend: Backend = {
    context: () =>
      Promise.resolve({
        ...(options.context ?? subscribed),
        livemode: options.context?.livemode ?? livemode,
      }),
    prices: (ids) =>
      Promise.resolve(
        ids.map((id) => ({
          id,
          interval: "month",
          currency: "eur",
          kind: "plan",
          seatBilling: "included",
          mostSeats: null,
          metered: [],
          grants: [],
          overage: [],
        })),
      ),
    linkCustomer: (_organizationId, customerId) => Promise.resolve(customerId),
    ticket: () => Promise.resolve(7),
    apply: (ticket, object) => Promise.resolve(applied.push([ticket, object]) > 0),
    ...options.backend,
  };
  const answer: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    const path = new URL(request.url).pathname;
    const form = new URLSearchParams(await request.text());
    asked.push({ path, form });
    const given = options.stripe?.(path, form) ?? { status: 200, body: {} };
    if (given === "no connection") throw new TypeError("canary: connection refused");
    return new Response(JSON.stringify(given.body), { status: given.status });
  };
  const client = new Stripe("sk_test_canary", {
    httpClient: Stripe.createFetchHttpClient(answer),
    maxNetworkRetries: 0,
  });
  const app = createApp({
    stripe: { livemode, client: () => Promise.resolve(client) },
    appUrl: () => "https://app.example.com",
    returnOrigins: () => undefined,
    connect: () => backend,
    log,
    keys,
  });
  const post = (path: string, body: object, extra: RequestInit = {}) =>
    app.request(`/billing${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify({ organization_id, ...body }),
      ...extra,
    });
  return { app, post, asked, applied, lines };
}

async function refusal(response: Response, code: ErrorCode) {
  const text = await response.text();
  assert.equal((JSON.parse(text) as ErrorBody).error.code, code, text);
  assert.equal(response.status, errorCodes[code].status);
  assert.doesNotMatch(text, /canary|sk_test|stripe\.com/);
}

const subscriptionAtStripe = {
  id: "sub_1",
  object: "subscription",
  customer: "cus_1",
  livemode: false,
  status: "active",
  currency: "eur",
  created: 1,
  trial_end: null,
  cancel_at: 1_800_000_000,
  cancel_at_period_end: true,
  canceled_at: null,
  ended_at: null,
  pause_collection: null,
  items: { has_more: false, data: [] },
};

/** A subscription, and the list of its invoices, none of which is open. */
const paidFor = { ...subscriptionAtStripe, items: { data: [] }, data: [] };

Deno.test("401: who is not signed in is not served, and Stripe is not asked", async () => {
  const { post, asked } = createTestApp();
  for (const path of ["/checkout", "/portal", "/preview", "/change", "/cancel", "/resume"]) {
    const anonymous = { "content-type": "application/json", apikey: publishableKey };
    await refusal(await post(path, {}, { headers: anonymous }), "missing_credentials");
  }
  assert.equal(asked.length, 0);
});

Deno.test("403: the database says who manages billing, before Stripe is asked", async () => {
  const { post, asked } = createTestApp({
    backend: { context: () => Promise.reject(new AppError("not_permitted")) },
  });
  await refusal(await post("/cancel", {}), "not_permitted");
  await refusal(await post("/checkout", { price_id: "price_1" }), "not_permitted");
  assert.equal(asked.length, 0);
});

Deno.test("400: what is no choice is refused by the schema", async () => {
  const { post, app } = createTestApp();
  await refusal(await post("/checkout", {}), "validation_failed");
  for (
    const price_id of ["", 'a","b', "a)", "or(1.eq.1)", "a,b", "\u0000", "a\\", "x".repeat(256), 7, null]
  ) {
    await refusal(await post("/checkout", { price_id }), "validation_failed");
    await refusal(await post("/change", { price_id: "p", addons: [{ price_id }] }), "validation_failed");
  }
  await refusal(await post("/checkout", { price_id: "p", quantity: 0 }), "validation_failed");
  await refusal(await post("/checkout", { price_id: "p", quantity: 1.5 }), "validation_failed");
  await refusal(await post("/cancel", { when: "never" }), "validation_failed");
  await refusal(await post("/portal", { return_url: "javascript:alert(1)" }), "validation_failed");
  const broken = await app.request("/billing/cancel", { method: "POST", headers, body: "{" });
  await refusal(broken, "malformed_body");
});

Deno.test("409: a second subscription is not sold, and none cannot be changed", async () => {
  await refusal(await createTestApp().post("/checkout", { price_id: "price_1" }), "already_subscribed");
  const { post } = createTestApp({ context: unsubscribed });
  await refusal(await post("/change", { price_id: "price_1" }), "no_subscription");
});

Deno.test("402: a declined card is told by its reason, and nothing is stored", async () => {
  const { post, applied } = createTestApp({
    stripe: () => ({
      status: 402,
      body: { error: { type: "card_error", code: "card_declined", decline_code: "insufficient_funds" } },
    }),
  });
  const response = await post("/change", { price_id: "price_2" });
  const { error } = await response.clone().json() as ErrorBody;
  assert.deepEqual(error.details, { reason: "insufficient_funds" });
  await refusal(response, "payment_failed");
  assert.deepEqual(applied, []);
});

Deno.test("503: Stripe away, busy or failing is not our caller's fault", async () => {
  const answers: Answer[] = [
    "no connection",
    { status: 500, body: { error: { type: "api_error", message: "canary" } } },
    {
      status: 429,
      body: { error: { type: "invalid_request_error", code: "rate_limit", message: "canary" } },
    },
    { status: 401, body: { error: { type: "invalid_request_error", message: "canary sk_test_canary" } } },
  ];
  for (const answer of answers) {
    await refusal(await createTestApp({ stripe: () => answer }).post("/cancel", {}), "billing_unavailable");
  }
});

Deno.test("503: beside one that is opening a page just now no second one is opened", async () => {
  const body = {
    error: { type: "invalid_request_error", code: "idempotency_key_in_use", message: "canary" },
  };
  const { post, asked } = createTestApp({
    context: unsubscribed,
    stripe: (_, form) => form.size > 0 ? { status: 409, body } : { status: 200, body: { data: [] } },
  });
  await refusal(await post("/checkout", { price_id: "price_1" }), "billing_unavailable");
  assert.equal(asked.filter(({ form }) => form.size > 0).length, 1);
});

Deno.test("500: a request that Stripe finds wrong is our mistake, and its text stays in the log", async () => {
  const { post, lines } = createTestApp({
    stripe: () => ({ status: 400, body: { error: { type: "invalid_request_error", message: "canary" } } }),
  });
  await refusal(await post("/cancel", {}), "internal");
  assert.match(JSON.stringify(lines), /canary/);
});

Deno.test("4xx: what Stripe finds wrong with what the caller chose", async () => {
  const wrong: [object, ErrorCode][] = [
    [{ param: "items[0][price]", code: "resource_missing" }, "unknown_price"],
    [{ param: "proration_date" }, "preview_expired"],
    [{ code: "amount_too_large" }, "validation_failed"],
  ];
  for (const [error, code] of wrong) {
    const body = { error: { type: "invalid_request_error", message: "canary", ...error } };
    const { post } = createTestApp({ stripe: () => ({ status: 400, body }) });
    await refusal(await post("/change", { price_id: "price_2" }), code);
  }
});

Deno.test("4xx: what Stripe has no code for is known by its sentence", async () => {
  const sentences: [string, ErrorCode][] = [
    ["This customer has no attached payment source or default payment method.", "payment_failed"],
    ["You cannot combine currencies on a single customer. This customer has a quote", "prices_do_not_mix"],
    ["The currency of the selected prices (eur) does not match the customer currency", "prices_do_not_mix"],
  ];
  for (const [message, code] of sentences) {
    const body = { error: { type: "invalid_request_error", message } };
    const { post } = createTestApp({
      stripe: (_, form) => form.size > 0 ? { status: 400, body } : { status: 200, body: paidFor },
    });
    await refusal(await post("/change", { price_id: "price_2" }), code);
  }
});

Deno.test("503: a key of the other mode is never used on a customer", async () => {
  const { post, asked } = createTestApp({ context: { ...subscribed, livemode: true } });
  await refusal(await post("/cancel", {}), "billing_unavailable");
  assert.equal(asked.length, 0);
});

Deno.test("200: what Stripe answers to a change is stored under a ticket drawn before", async () => {
  const { post, asked, applied } = createTestApp({
    stripe: () => ({ status: 200, body: subscriptionAtStripe }),
  });
  const response = await post("/cancel", {});
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.deepEqual(await response.json(), {
    id: "sub_1",
    status: "active",
    cancel_at_period_end: true,
    cancel_at: "2027-01-15T08:00:00.000Z",
    current_period_end: null,
  });
  assert.equal(asked[0]?.form.get("cancel_at_period_end"), "true");
  assert.equal(applied.length, 1);
  assert.equal(applied[0]?.[0], 7);
});

Deno.test("503: a key of another account makes nobody's customer a deleted one", async () => {
  const { post, applied } = createTestApp({
    livemode: true,
    stripe: (path) => {
      const param = path.startsWith("/v1/customers/") ? "id" : "customer";
      return {
        status: 404,
        body: {
          error: { type: "invalid_request_error", code: "resource_missing", param, message: "canary" },
        },
      };
    },
  });
  await refusal(await post("/portal", {}), "billing_unavailable");
  assert.deepEqual(applied, []);
});

Deno.test("resuming takes back what there is: the end of a period, a date, or a pause", async () => {
  for (
    const [state, path, field] of [
      [{ cancel_at: "2027-01-15T08:00:00+00:00", cancel_at_period_end: true }, "/v1/subscriptions/sub_1", [
        "cancel_at_period_end",
        "false",
      ]],
      [{ cancel_at: "2027-01-15T08:00:00+00:00" }, "/v1/subscriptions/sub_1", ["cancel_at", ""]],
      [{ status: "paused" }, "/v1/subscriptions/sub_1/resume", ["pause_collection", null]],
    ] as const
  ) {
    const { post, asked } = createTestApp({
      context: { ...subscribed, subscription: { ...subscribed.subscription!, ...state } },
      stripe: () => ({ status: 200, body: subscriptionAtStripe }),
    });
    assert.equal((await post("/resume", {})).status, 200);
    assert.equal(asked[0]?.path, path);
    assert.equal(asked[0]?.form.get(field[0]), field[1]);
    assert.equal(asked[0]?.form.has("cancel_at") && asked[0]?.form.has("cancel_at_period_end"), false);
  }
});

Deno.test("a customer that lost the race is deleted again, and the winner is used", async () => {
  const { post, asked } = createTestApp({
    context: { ...unsubscribed, customer_id: null, livemode: null },
    backend: { linkCustomer: () => Promise.resolve("cus_winner") },
    stripe: (path) => {
      if (path === "/v1/customers") return { status: 200, body: { id: "cus_loser" } };
      return { status: 200, body: { id: "bps_1", url: "https://billing.example.com/1" } };
    },
  });
  assert.equal((await post("/portal", {})).status, 200);
  assert.deepEqual(asked.map(({ path }) => path), [
    "/v1/customers",
    "/v1/customers/cus_loser",
    "/v1/billing_portal/sessions",
  ]);
  assert.equal(asked[2]?.form.get("customer"), "cus_winner");
});
