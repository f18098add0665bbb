import assert from "node:assert/strict";
import process from "node:process";
import type { Decision, Decisions, Request } from "../_shared/decisions.ts";
import { AppError, type ErrorBody } from "../_shared/errors.ts";
import { createPostgres, type Postgres } from "../_shared/postgres.ts";
import { createTestLog } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import { createIngest, type IngestUsage } from "./usage.ts";

const key = "nk_live_DY3FvuGGnLwV4rCvwkurc31SFpCO02nimXsYoFVI33e1OgUGi";
const allowed: Decision = {
  allowed: true,
  code: "allowed",
  organizationId: crypto.randomUUID(),
  applicationId: crypto.randomUUID(),
  keyId: crypto.randomUUID(),
  environment: "live",
  limit: null,
  remaining: null,
  resetAt: null,
  retryAfter: null,
  rateLimit: null,
  rateRemaining: null,
};
const event = { idempotency_key: "one", metric: "rows_read", quantity: 1 };

function createTestApp(options: { decision?: Partial<Decision>; ingest?: IngestUsage } = {}) {
  const asked: Request[] = [];
  const ingested: [string, unknown[]][] = [];
  const decisions = {
    authorize: (request: Request) => {
      asked.push(request);
      return Promise.resolve({ ...allowed, ...options.decision });
    },
  } as Partial<Decisions> as Decisions;
  const ingest: IngestUsage = options.ingest ?? ((organizationId, events) => {
    ingested.push([organizationId, events]);
    return Promise.resolve({ accepted: events.length, duplicates: 0, rejected: [] });
  });
  const app = createApp({ decisions, ingest, ipHeader: "cf-connecting-ip", log: createTestLog().log });
  const post = (body: unknown, headers: Record<string, string> = { authorization: `Bearer ${key}` }) =>
    app.request("/api/usage", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return { post, asked, ingested };
}

const codeOf = async (response: Response) => (await response.json() as ErrorBody).error.code;

Deno.test("200: events are the key's, whatever they say", async () => {
  const { post, asked, ingested } = createTestApp();
  const response = await post({
    events: [event, { ...event, application_id: crypto.randomUUID(), api_key_id: "x" }, null, [event]],
  });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { accepted: 4, duplicates: 0, rejected: [] });
  const own = { ...event, application_id: allowed.applicationId, api_key_id: allowed.keyId };
  assert.deepEqual(ingested, [[allowed.organizationId, [own, own, null, [event]]]]);
  assert.deepEqual(asked.map(({ scope, metric }) => [scope, metric]), [["usage.write", "usage_reports"]]);
});

Deno.test("what no database can hold is refused on its own: the others count", async () => {
  const refusingNull: IngestUsage = (_, events) =>
    Promise.resolve({
      accepted: events.filter(Boolean).length,
      duplicates: 0,
      rejected: events.flatMap((event, index) => event === null ? [{ index, reason: "not_an_object" }] : []),
    });
  const nested = (depth: number): unknown => depth === 0 ? 1 : { a: nested(depth - 1) };
  const { post } = createTestApp({ ingest: refusingNull });
  const response = await post(`{"events": [
    ${JSON.stringify(event)},
    {"idempotency_key": "a\\u0000"},
    {"dimensions": {"a\\ud83d": 1}},
    {"dimensions": [["\\udc00"]]},
    {"dimensions": ${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}},
    null,
    {"dimensions": {"whole": "\\ud83d\\udc1d \\\\u0000", "deep": ${JSON.stringify(nested(100))}}}
  ]}`);
  assert.deepEqual(await response.json(), {
    accepted: 2,
    duplicates: 0,
    rejected: [
      ...[1, 2, 3, 4].map((index) => ({ index, reason: "unstorable" })),
      { index: 5, reason: "not_an_object" },
    ],
  });
});

Deno.test("400: no batch, an empty one, or one that is too long", async () => {
  const { post, ingested } = createTestApp();
  for (const body of [{}, { events: [] }, { events: "many" }, { events: Array(1001).fill(event) }, []]) {
    const response = await post(body);
    assert.equal(response.status, 400);
    assert.equal(await codeOf(response), "validation_failed");
  }
  assert.equal((await post("{")).status, 400);
  assert.deepEqual(ingested, []);
});

Deno.test("401, 403, 429: a key that may not do this reports nothing", async () => {
  for (
    const [code, status] of [["invalid_key", 401], ["forbidden_scope", 403], ["rate_limited", 429]] as const
  ) {
    const { post, ingested } = createTestApp({ decision: { allowed: false, code } });
    const response = await post({ events: [event] });
    assert.deepEqual([response.status, await codeOf(response), ingested], [status, code, []]);
  }
  const { post, asked } = createTestApp();
  assert.equal(await codeOf(await post({ events: [event] }, {})), "missing_credentials");
  assert.equal(await codeOf(await post({ events: [event] }, { "x-api-key": "nk_live_typo" })), "invalid_key");
  assert.deepEqual(asked, []);
});

Deno.test("413: a body that is too large", async () => {
  const { post } = createTestApp();
  const response = await post({ events: [{ ...event, idempotency_key: "k".repeat(1024 * 1024) }] });
  assert.equal(response.status, 413);
});

Deno.test("503: the database is away", async () => {
  const { post } = createTestApp({ ingest: () => Promise.reject(new AppError("database_unavailable")) });
  const response = await post({ events: [event] });
  assert.deepEqual([response.status, await codeOf(response)], [503, "database_unavailable"]);
});

const refusing = (error: unknown) => ({ run: () => Promise.reject(error) }) as unknown as Postgres;

Deno.test("what the database refuses has a code; what is ours stays ours", async () => {
  const refuse = (code: string, hint?: string) =>
    createIngest(refusing(Object.assign(new Error("From SQL."), { code, hint })))("x", []);
  await assert.rejects(refuse("22P05"), { code: "validation_failed" });
  await assert.rejects(refuse("PT409", "organization_closed"), {
    code: "organization_closed",
    message: "From SQL.",
  });
  await assert.rejects(refuse("XX000"), (error: Error) => !(error instanceof AppError));
});

Deno.test({
  name: "a text that no database can hold is refused by a real one",
  ignore: !process.env["SUPABASE_DB_URL"],
  async fn() {
    const postgres = createPostgres({ url: () => process.env["SUPABASE_DB_URL"] });
    await assert.rejects(createIngest(postgres)(crypto.randomUUID(), ["\0"]), { code: "validation_failed" });
    await postgres.close();
  },
});
