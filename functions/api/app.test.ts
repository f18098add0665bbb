import assert from "node:assert/strict";
import type { ActivityEvent } from "../_shared/activity.ts";
import type { Decision, Decisions, Refusal, Request } from "../_shared/decisions.ts";
import { AppError } from "../_shared/errors.ts";
import { createTestLog } from "../_shared/testing.ts";
import { createApp } from "./app.ts";

const KEY = "nk_live_DY3FvuGGnLwV4rCvwkurc31SFpCO02nimXsYoFVI33e1OgUGi";

const allowed: Decision = {
  allowed: true,
  code: "allowed",
  organizationId: "6b0c0d0e-0000-4000-8000-000000000001",
  applicationId: "6b0c0d0e-0000-4000-8000-000000000002",
  keyId: "6b0c0d0e-0000-4000-8000-000000000003",
  environment: "live",
  limit: 1000,
  remaining: 999,
  resetAt: new Date(Date.now() + 3_600_000),
  retryAfter: null,
  rateLimit: 20,
  rateRemaining: 19,
};

function createWorld(answer: Partial<Decision> | Error = {}) {
  const asked: { request: Request; cost: number }[] = [];
  const decisions: Decisions = {
    authorize(request, cost) {
      asked.push({ request, cost });
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ ...allowed, ...answer });
    },
    lease: () => Promise.reject(new Error("nobody asked for a lease")),
    giveBack: () => Promise.resolve(false),
  };
  const { log, lines } = createTestLog();
  const ingest = () => Promise.reject(new Error("nobody sends usage"));
  const recorded: ActivityEvent[] = [];
  const recordActivity = (event: ActivityEvent) => void recorded.push(event);
  const app = createApp({ decisions, ingest, log, recordActivity, ipHeader: "cf-connecting-ip" });
  const ping = (headers: Record<string, string> = { authorization: `Bearer ${KEY}` }) =>
    app.request("/api/ping", { headers });
  return { ping, asked, lines, recorded };
}

const codeOf = async (response: Response) => (await response.json()).error.code;

Deno.test("200 tells whose key it is, and what is left", async () => {
  const { ping, asked, lines } = createWorld();
  const untilReset = () => Math.ceil((Number(allowed.resetAt) - Date.now()) / 1000);
  const most = untilReset();
  const response = await ping({
    authorization: `bearer ${KEY}`,
    origin: "https://example.com",
    "cf-connecting-ip": "203.0.113.7",
    "x-forwarded-for": "10.0.0.1",
    "x-request-id": "chosen-by-the-caller",
  });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    organization_id: allowed.organizationId,
    application_id: allowed.applicationId,
    key_id: allowed.keyId,
    environment: "live",
  });
  assert.equal(response.headers.get("ratelimit-policy"), '"burst";q=20, "month";q=1000');
  const told = response.headers.get("ratelimit")?.match(/^"burst";r=19, "month";r=999;t=(\d+)$/)?.[1];
  assert.ok(Number(told) <= most && Number(told) >= untilReset(), told);
  assert.equal(response.headers.get("cache-control"), "no-store");

  const { request, cost } = asked[0]!;
  assert.equal(cost, 1);
  assert.equal(request.scope, "applications.read");
  assert.equal(request.metric, "api_requests");
  assert.equal(request.hash.length, 32);
  const { request_id, ...context } = request.context;
  assert.deepEqual(context, { ip: "203.0.113.7", origin: "https://example.com" });
  assert.notEqual(request_id, "chosen-by-the-caller");
  assert.equal(lines[0]?.["organization"], allowed.organizationId);
});

Deno.test("what a key was let do is recorded, and nothing that was refused", async () => {
  const { ping, recorded } = createWorld();
  await ping();
  const [{ request_id, ...event } = {} as ActivityEvent] = recorded;
  assert.deepEqual(event, {
    organization_id: allowed.organizationId,
    actor: { kind: "api_key", id: allowed.keyId },
    action: "api.ping",
    object: { kind: "applications", id: allowed.applicationId },
  });
  assert.match(request_id ?? "", /^[\da-f-]{36}$/);

  await ping({ authorization: "Bearer nk_live_none" });
  assert.equal(recorded.length, 1);
  for (const answer of [{ allowed: false, code: "revoked" as const }, new AppError("database_unavailable")]) {
    const refused = createWorld(answer);
    await refused.ping();
    assert.deepEqual(refused.recorded, []);
  }
});

Deno.test("the key comes as a bearer token or as x-api-key, beside another token too", async () => {
  for (const headers of [{ "x-api-key": KEY }, { "x-api-key": KEY, authorization: "Bearer eyJ.a.b" }]) {
    assert.equal((await createWorld().ping(headers as Record<string, string>)).status, 200);
  }
});

Deno.test("no limits, no headers of limits", async () => {
  const response = await createWorld({
    limit: null,
    remaining: null,
    resetAt: null,
    rateLimit: null,
    rateRemaining: null,
  }).ping();
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("ratelimit"), null);
});

Deno.test("401 without a key", async () => {
  const { ping, asked } = createWorld();
  const response = await ping({});
  assert.equal(response.status, 401);
  assert.equal(await codeOf(response), "missing_credentials");
  assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
  assert.deepEqual(asked, []);
});

Deno.test("401 for what cannot be a key, without asking, and in the same words as for an unknown one", async () => {
  const { ping, asked } = createWorld();
  const malformed = await ping({ authorization: `Bearer ${KEY.slice(0, -1)}x` });
  assert.deepEqual(asked, []);
  const unknown = await createWorld({
    allowed: false,
    code: "invalid_key",
    organizationId: null,
    limit: null,
    remaining: null,
    resetAt: null,
    rateLimit: null,
    rateRemaining: null,
  }).ping();
  const told = async (response: Response) => {
    const { error: { request_id: _, ...error } } = await response.json();
    const headers = [...response.headers].filter(([name]) => name !== "x-request-id");
    return { status: response.status, error, headers };
  };
  const answer = await told(malformed);
  assert.equal(answer.status, 401);
  assert.equal(answer.error.code, "invalid_key");
  assert.deepEqual(await told(unknown), answer);
});

const refusals: [Refusal, number][] = [
  ["expired", 401],
  ["revoked", 401],
  ["payment_required", 402],
  ["forbidden_scope", 403],
  ["forbidden_ip", 403],
  ["forbidden_origin", 403],
  ["organization_closed", 403],
];
for (const [code, status] of refusals) {
  Deno.test(`${status} ${code}`, async () => {
    const { ping, lines } = createWorld({ allowed: false, code });
    const response = await ping();
    assert.equal(response.status, status);
    assert.equal(await codeOf(response), code);
    assert.equal(lines[0]?.["organization"], allowed.organizationId);
    assert.equal(lines[0]?.["code"], code);
  });
}

Deno.test("429 rate_limited says when to come again", async () => {
  const response = await createWorld({
    allowed: false,
    code: "rate_limited",
    limit: 20,
    remaining: 0,
    retryAfter: 1,
    rateLimit: null,
    rateRemaining: null,
  }).ping();
  assert.equal(response.status, 429);
  assert.equal(response.headers.get("retry-after"), "1");
  assert.equal(response.headers.get("ratelimit-policy"), '"burst";q=20');
  assert.equal(response.headers.get("ratelimit"), '"burst";r=0;t=1');
});

Deno.test("429 quota_exceeded says when the next period begins", async () => {
  const resetAt = new Date("2026-12-01T00:00:00Z");
  const response = await createWorld({
    allowed: false,
    code: "quota_exceeded",
    remaining: 0,
    retryAfter: 3600,
    resetAt,
    rateLimit: null,
    rateRemaining: null,
  }).ping();
  assert.equal(response.status, 429);
  assert.equal(response.headers.get("retry-after"), "3600");
  assert.equal(response.headers.get("ratelimit"), '"month";r=0;t=3600');
  const { error } = await response.json();
  assert.deepEqual([error.code, error.details], ["quota_exceeded", { reset_at: "2026-12-01T00:00:00.000Z" }]);
});

Deno.test("503 when the database is away, and 500 when it fails: nobody passes", async () => {
  const away = await createWorld(new AppError("database_unavailable")).ping();
  assert.equal(away.status, 503);
  assert.equal(await codeOf(away), "database_unavailable");
  const failed = await createWorld(new Error("relation private.usage_counters")).ping();
  assert.equal(failed.status, 500);
  assert.doesNotMatch(await failed.text(), /usage_counters/);
});
