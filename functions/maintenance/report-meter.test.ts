import assert from "node:assert/strict";
import Stripe from "stripe";
import type { StripeAccount } from "../_shared/stripe.ts";
import { reportMeter } from "./report-meter.ts";

const HOUR = 3_600_000;
const now = Date.parse("2026-11-23T12:00:00Z");
const payload = {
  identifier: crypto.randomUUID(),
  metric: "api_requests",
  at: "2026-11-23T09:00:00+00:00",
  quantity: "12345678901234567890",
  reported_at: new Date(now).toISOString(),
};
const entry = { id: 1, organization_id: crypto.randomUUID(), payload, attempts: 1 };
const customer = { customer_id: "cus_1", livemode: false };

/**
 * Stripe's side of meter events: what it was sent, each identifier counted once; an answer is repeated to whoever has its
 * idempotency key.
 */
async function withFakeStripe(
  work: (fake: {
    account: StripeAccount;
    counted: Map<string, URLSearchParams>;
    answers: ((form: URLSearchParams) => Response | undefined)[];
  }) => Promise<void>,
) {
  const counted = new Map<string, URLSearchParams>();
  const answers: ((form: URLSearchParams) => Response | undefined)[] = [];
  const repeated = new Map<string | null, Response>();
  const answerTo = (form: URLSearchParams) => {
    const answer = answers.shift()?.(form);
    if (answer) return answer;
    const identifier = form.get("identifier") ?? "";
    if (counted.has(identifier)) {
      const message = `An event already exists with identifier ${identifier}.`;
      return Response.json({ error: { type: "invalid_request_error", message } }, { status: 400 });
    }
    counted.set(identifier, form);
    return Response.json({ object: "billing.meter_event", identifier });
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    assert.equal(new URL(request.url).pathname, "/v1/billing/meter_events");
    const form = new URLSearchParams(await request.text());
    const key = request.headers.get("idempotency-key");
    const answer = (key && repeated.get(key)) || answerTo(form);
    repeated.set(key, answer.clone());
    return answer;
  });
  const client = new Stripe("sk_test_1", {
    host: "127.0.0.1",
    port: server.addr.port,
    protocol: "http",
    maxNetworkRetries: 0,
    telemetry: false,
  });
  try {
    await work({
      account: { configured: true, livemode: false, client: () => Promise.resolve(client) },
      counted,
      answers,
    });
  } finally {
    await server.shutdown();
  }
}

/** The one call of the database: who is the customer. */
const adminWith = (linked: typeof customer | undefined) =>
  ({
    rpc: (name: string, args: unknown) => {
      assert.deepEqual([name, args], ["stripe_customer", { p_organization_id: entry.organization_id }]);
      return Promise.resolve({ data: linked ? [linked] : [], error: null, status: 200 });
    },
  }) as never;

const consume = (
  account: StripeAccount,
  changes: Partial<typeof entry> = {},
  linked: typeof customer | null = customer,
) =>
  reportMeter(account, () => now).consume(
    { ...entry, ...changes },
    () => false,
    adminWith(linked ?? undefined),
  );

Deno.test("an hour is one event of the metric's meter, at its hour, by its identifier", () =>
  withFakeStripe(async ({ account, counted }) => {
    assert.equal(await consume(account), true);
    assert.deepEqual(Object.fromEntries(counted.get(payload.identifier) ?? []), {
      event_name: "api_requests",
      identifier: payload.identifier,
      timestamp: String(Date.parse(payload.at) / 1000),
      "payload[stripe_customer_id]": "cus_1",
      "payload[value]": payload.quantity,
    });
  }));

Deno.test("an answer that was lost: sent again, it counts once", () =>
  withFakeStripe(async ({ account, counted, answers }) => {
    answers.push((form) => {
      counted.set(form.get("identifier") ?? "", form);
      return new Response("gone", { status: 502 });
    });
    await assert.rejects(() => consume(account));
    assert.equal(await consume(account, { attempts: 2 }), true);
    assert.equal(counted.size, 1);
  }));

Deno.test("what Stripe refuses stays open, and is counted as soon as it does not", () =>
  withFakeStripe(async ({ account, counted, answers }) => {
    answers.push(() =>
      Response.json({ error: { type: "invalid_request_error", code: "no_meter", message: "no" } }, {
        status: 400,
      })
    );
    await assert.rejects(() => consume(account));
    assert.equal(await consume(account, { attempts: 2 }), true);
    assert.equal(counted.size, 1);
  }));

Deno.test("when Stripe may have forgotten the identifier it is not sent again; what was never sent is", () =>
  withFakeStripe(async ({ account, counted }) => {
    const old = { ...payload, reported_at: new Date(now - 24 * HOUR).toISOString() };
    await assert.rejects(() => consume(account, { payload: old, attempts: 2 }), /too late/);
    assert.equal(counted.size, 0);
    assert.equal(await consume(account, { payload: old }), true);
    assert.equal(counted.size, 1);
  }));

Deno.test("an hour older than Stripe takes is told as of the oldest it takes", () =>
  withFakeStripe(async ({ account, counted }) => {
    await consume(account, { payload: { ...payload, at: "2026-10-01T09:00:00+00:00" } });
    assert.equal(
      counted.get(payload.identifier)?.get("timestamp"),
      String((now - 34 * 24 * HOUR) / 1000),
    );
  }));

Deno.test("nobody to bill: done. The other mode, or a payload that is none: not", () =>
  withFakeStripe(async ({ account, counted }) => {
    assert.equal(await consume(account, {}, null), true);
    await assert.rejects(() => consume(account, {}, { ...customer, livemode: true }), /other mode/);
    await assert.rejects(() => consume(account, { payload: { ...payload, quantity: "-1" } }));
    assert.equal(counted.size, 0);
  }));
