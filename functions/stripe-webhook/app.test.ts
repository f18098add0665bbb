import assert from "node:assert/strict";
import Stripe from "stripe";
import { AppError, type ErrorBody } from "../_shared/errors.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { createApp, type StripeWebhookOptions } from "./app.ts";
import type { KeptEvent, Ledger, Result, Selection } from "./ledger.ts";

const { keys, publishableKey, secretKey } = await createTestProject();
const secret = "whsec_current";
const now = Date.UTC(2026, 10, 28);

const subscription = {
  id: "sub_1",
  object: "subscription",
  customer: "cus_1",
  livemode: false,
  status: "active",
  currency: "usd",
  created: 1,
  items: { has_more: false, data: [] },
} as unknown as Stripe.Subscription;

const updated = {
  id: "evt_1",
  object: "event",
  type: "customer.subscription.updated",
  created: 1,
  livemode: false,
  data: { object: { id: "sub_1", object: "subscription", customer: "cus_1", note: "hunter2" } },
};

interface Setting {
  ledger?: Partial<Ledger>;
  retrieve?: () => Promise<Stripe.Subscription>;
  options?: Partial<StripeWebhookOptions>;
}

/** An app before a ledger and a Stripe that note what they are asked. */
function createTestApp({ ledger = {}, retrieve, options = {} }: Setting = {}) {
  const { log, lines } = createTestLog();
  const calls: string[] = [];
  const failures: string[] = [];
  const noted = (name: string, answer: Result): Promise<Result> => {
    calls.push(name);
    return Promise.resolve(answer);
  };
  const app = createApp({
    stripe: {
      livemode: false,
      client: () =>
        Promise.resolve({
          subscriptions: {
            retrieve: () => {
              calls.push("fetch");
              return (retrieve ?? (() => Promise.resolve(subscription)))();
            },
          },
          events: { retrieve: () => Promise.resolve(updated) },
        } as unknown as Stripe),
    },
    ledger: {
      ticket: () => {
        calls.push("ticket");
        return Promise.resolve({ ticket: "7", status: null });
      },
      apply: (_event, ticket, { kind }) =>
        noted(`apply ${ticket} ${kind}`, { outcome: "applied", changed: true }),
      applyObject: (ticket, { kind }) =>
        noted(`store ${ticket} ${kind}`, { outcome: "applied", changed: false }),
      fail: (_event, error) => Promise.resolve(void failures.push(error)),
      toReplay: () => Promise.resolve([]),
      ...ledger,
    },
    secrets: () => [secret],
    clock: () => now,
    log,
    keys,
    ...options,
  });
  const post = (body: string, signature: string | undefined) =>
    app.request("/stripe-webhook", {
      method: "POST",
      body,
      headers: { "content-type": "application/json", ...(signature && { "stripe-signature": signature }) },
    });
  const send = async (event: unknown = updated, signing: { secret?: string; timestamp?: number } = {}) => {
    const payload = typeof event === "string" ? event : JSON.stringify(event);
    return await post(payload, await sign(payload, signing));
  };
  const replay = (body: unknown, headers: Record<string, string> = { apikey: secretKey }) =>
    app.request("/stripe-webhook/replay", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  return { post, send, replay, calls, failures, lines };
}

const sign = (payload: string, { secret: by = secret, timestamp = now / 1000 } = {}) =>
  Stripe.webhooks.generateTestHeaderStringAsync({ payload, secret: by, timestamp });

async function codeOf(response: Response, status: number) {
  const { error } = await response.json() as ErrorBody;
  assert.equal(response.status, status, error.message);
  return error.code;
}

Deno.test("200: a ticket is drawn before the object is fetched, and both are applied", async () => {
  const { send, calls, lines } = createTestApp();
  const response = await send();
  assert.deepEqual([response.status, await response.json()], [200, {
    received: true,
    outcome: "applied",
    changed: true,
  }]);
  assert.deepEqual(calls, ["ticket", "fetch", "apply 7 subscription"]);
  assert.equal(lines.some(({ event, outcome }) => event === "evt_1" && outcome === "applied"), true);
  assert.doesNotMatch(JSON.stringify(lines), /hunter2|whsec/);
});

Deno.test("200: a type that changes nothing is kept, and nothing is fetched", async () => {
  for (
    const event of [
      { ...updated, type: "some.future_event" },
      { ...updated, account: "acct_1" },
      { ...updated, data: { object: { object: "balance" } } },
    ]
  ) {
    const { send, calls } = createTestApp();
    assert.equal((await send(event)).status, 200);
    assert.deepEqual(calls, ["apply null none"]);
  }
});

Deno.test("200: what was applied before is not fetched again", async () => {
  const { send, calls } = createTestApp({
    ledger: { ticket: () => Promise.resolve({ ticket: "8", status: "applied" }) },
  });
  assert.equal((await (await send()).json() as Result).outcome, "duplicate");
  assert.deepEqual(calls, []);
});

Deno.test("200: what is gone at Stripe is stored as gone", async () => {
  let stored: unknown;
  const { send } = createTestApp({
    retrieve: () => Promise.reject(Object.assign(new Error("No such"), { code: "resource_missing" })),
    ledger: {
      apply: (_event, _ticket, object) => {
        stored = object;
        return Promise.resolve({ outcome: "applied", changed: true });
      },
    },
  });
  assert.equal((await send()).status, 200);
  assert.deepEqual(stored, {
    kind: "subscription",
    id: "sub_1",
    customer_id: "cus_1",
    livemode: false,
    deleted: true,
  });
});

Deno.test("200: while a secret is rolled over, both sign", async () => {
  const { send } = createTestApp({ options: { secrets: () => ["whsec_next", secret] } });
  assert.equal((await send(updated, { secret })).status, 200);
  assert.equal((await send(updated, { secret: "whsec_next" })).status, 200);
});

Deno.test("400: what is not signed, not by us, too long ago, or changed on the way does nothing", async () => {
  const { post, calls, failures, lines } = createTestApp();
  const payload = JSON.stringify(updated);
  for (
    const [body, signature] of [
      [payload, undefined],
      [payload, ""],
      [payload, "t=1,v1=00"],
      [payload, "v1=00"],
      [payload, await sign(payload, { secret: "whsec_other" })],
      [payload, await sign(payload, { timestamp: now / 1000 - 301 })],
      [payload.replace("sub_1", "sub_2"), await sign(payload)],
      ["", await sign(payload)],
    ] as const
  ) {
    assert.equal(await codeOf(await post(body, signature), 400), "invalid_signature");
  }
  assert.deepEqual([calls, failures], [[], []]);
  assert.doesNotMatch(JSON.stringify(lines), /hunter2|whsec|v1=/);
});

Deno.test("400: the other mode's events are refused before anything is done", async () => {
  const { send, calls } = createTestApp();
  assert.equal(await codeOf(await send({ ...updated, livemode: true }), 400), "wrong_stripe_mode");
  assert.deepEqual(calls, []);
});

Deno.test("400: signed, but no event", async () => {
  const { send, calls } = createTestApp();
  for (
    const body of ["{", "[]", "null", { object: "v2.core.event" }, {
      ...updated,
      id: "evt_1'; drop table x; --",
    }]
  ) {
    assert.equal(await codeOf(await send(body), 400), "malformed_body");
  }
  assert.deepEqual(calls, []);
});

Deno.test("413: more than 1 MiB is not read", async () => {
  const { post } = createTestApp();
  assert.equal(await codeOf(await post("x".repeat(1024 * 1024 + 1), "t=1,v1=0"), 413), "payload_too_large");
});

Deno.test("500: what fails is kept with its reason, and tells nothing", async () => {
  const refused = Object.assign(new Error("sk_test_secret may not read hunter2"), {
    name: "StripeAPIError",
    statusCode: 500,
    code: "lock_timeout",
  });
  const { send, failures, lines } = createTestApp({ retrieve: () => Promise.reject(refused) });
  const response = await send();
  const text = await response.clone().text();
  assert.equal(await codeOf(response, 500), "event_not_applied");
  assert.deepEqual(failures, ["StripeAPIError 500 lock_timeout"]);
  assert.doesNotMatch(text + JSON.stringify(lines), /hunter2|secret may/);
});

Deno.test("500: an answer comes in time, even when Stripe's does not", async () => {
  const { promise, resolve } = Promise.withResolvers<Stripe.Subscription>();
  const { send, failures } = createTestApp({ retrieve: () => promise, options: { deadlineMs: 5 } });
  assert.equal(await codeOf(await send(), 500), "event_not_applied");
  assert.deepEqual(failures, ["TimeIsUp"]);
  resolve(subscription);
});

Deno.test("500: also when not even the failure can be kept", async () => {
  const { send } = createTestApp({
    retrieve: () => Promise.reject(new Error("no")),
    ledger: { fail: () => Promise.reject(new Error("no database")) },
  });
  assert.equal(await codeOf(await send(), 500), "event_not_applied");
});

Deno.test("503: the database is away", async () => {
  const { send } = createTestApp({
    ledger: { ticket: () => Promise.reject(new AppError("database_unavailable")) },
  });
  assert.equal(await codeOf(await send(), 503), "database_unavailable");
});

Deno.test("503: without a secret nothing can be believed", async () => {
  const { send, calls } = createTestApp({ options: { secrets: () => [] } });
  assert.equal(await codeOf(await send(), 503), "billing_unavailable");
  assert.deepEqual(calls, []);
});

const kept = (id: string, more: Partial<KeptEvent> = {}): KeptEvent => ({
  id,
  type: updated.type,
  status: "dead",
  attempts: 12,
  payload: JSON.stringify({ ...updated, id }),
  ...more,
});

Deno.test("replay, 200: as if just delivered; applied ones are compared again; lost payloads are fetched", async () => {
  let asked: Selection | undefined;
  const events = [
    kept("evt_a"),
    kept("evt_b", { status: "applied" }),
    kept("evt_c", { payload: null }),
    kept("evt_d", { payload: "{}" }),
  ];
  const { replay, calls, failures } = createTestApp({
    ledger: {
      toReplay: (selection) => {
        asked = selection;
        return Promise.resolve(events);
      },
    },
  });
  const response = await replay({ since: "2026-11-28T00:00:00Z", after: "evt_0" });
  assert.equal(response.status, 200);
  const answer = await response.json() as { events: { outcome: string; reason?: string }[]; next: string };
  assert.deepEqual(asked, { since: "2026-11-28T00:00:00Z", after: "evt_0", limit: 20 });
  assert.deepEqual(answer.events.map(({ outcome, reason }) => reason ?? outcome), [
    "applied",
    "applied",
    "applied",
    "malformed_body",
  ]);
  assert.equal(answer.next, null);
  assert.deepEqual(failures, ["malformed_body"]);
  assert.deepEqual(calls, [
    ...["ticket", "fetch", "apply 7 subscription"],
    ...["ticket", "fetch", "store 7 subscription"],
    ...["ticket", "fetch", "apply 7 subscription"],
  ]);
});

Deno.test("replay, 200: a full page tells where to go on, and so does one that ran out of time", async () => {
  const page = Array.from({ length: 20 }, (_, n) => kept(`evt_${n}`));
  const full = createTestApp({ ledger: { toReplay: () => Promise.resolve(page) } });
  assert.equal((await (await full.replay({ dead: true })).json() as { next: string }).next, "evt_19");
  let at = now;
  const slow = createTestApp({
    ledger: { toReplay: () => Promise.resolve(page.slice(0, 3)) },
    options: { clock: () => at += 20_000 },
  });
  const answer = await (await slow.replay({ dead: true })).json() as { events: unknown[]; next: string };
  assert.deepEqual([answer.events.length, answer.next], [1, "evt_0"]);
});

Deno.test("replay, 400: without a choice, or with a malformed one", async () => {
  const { replay } = createTestApp({ ledger: { toReplay: () => assert.fail("nothing is read") } });
  for (
    const body of [{}, { ids: [] }, { ids: ["sub_1"] }, { since: "yesterday" }, { dead: true, all: true }]
  ) {
    assert.equal(await codeOf(await replay(body), 400), "validation_failed");
  }
});

Deno.test("replay, 401: for servers alone", async () => {
  const { replay } = createTestApp({ ledger: { toReplay: () => assert.fail("nothing is read") } });
  for (const headers of [{}, { apikey: publishableKey }, { apikey: "sb_secret_wrong" }]) {
    assert.equal((await replay({ dead: true }, headers as Record<string, string>)).status, 401);
  }
});
