import assert from "node:assert/strict";
import { type ApiKeyEnv, withApiKey } from "./api-key.ts";
import { createFunction } from "./app.ts";
import type { Decision, Decisions, Request } from "./decisions.ts";
import { AppError } from "./errors.ts";
import type { Leases } from "./lease.ts";
import { createTestLog } from "./testing.ts";

const KEY = "nk_live_DY3FvuGGnLwV4rCvwkurc31SFpCO02nimXsYoFVI33e1OgUGi";
const decided = { allowed: true, code: "allowed", keyId: "key", organizationId: "organization" } as Decision;

const answering = (
  answer: () => Promise<Decision>,
  asked: { request: Request; cost: number }[] = [],
): Decisions => ({
  authorize(request, cost) {
    asked.push({ request, cost });
    return answer();
  },
  lease: () => Promise.reject(new Error("nobody asked for a lease")),
  giveBack: () => Promise.resolve(false),
});

function createApp(options: Partial<Parameters<typeof withApiKey>[0]> & { decisions: Decisions }) {
  const app = createFunction({ name: "test", log: createTestLog().log });
  app.get(
    "/:workflow",
    withApiKey({ scope: "s.read", metric: "m", ipHeader: "ip", ...options }),
    (c) => c.json((c as unknown as { var: ApiKeyEnv["Variables"] }).var.apiKey),
  );
  return (headers: HeadersInit = { "x-api-key": KEY }) => app.request("/test/w1", { headers });
}

Deno.test("a request's cost and workflow can depend on it", async () => {
  const asked: { request: Request; cost: number }[] = [];
  const call = createApp({
    decisions: answering(() => Promise.resolve(decided), asked),
    cost: () => 7,
    workflow: (c) => c.req.param("workflow"),
  });
  assert.equal((await call()).status, 200);
  assert.equal(asked[0]?.cost, 7);
  assert.equal(asked[0]?.request.context.workflow_id, "w1");
  await call();
  assert.notEqual(asked[0]?.request.context.request_id, asked[1]?.request.context.request_id);
});

Deno.test("with leases, they decide", async () => {
  const leases: Leases = { decide: () => Promise.resolve(decided), close: () => Promise.resolve() };
  const call = createApp({ decisions: answering(() => Promise.reject(new Error("asked"))), leases });
  assert.equal((await call()).status, 200);
});

Deno.test("a route may let requests pass while the database is away: they are marked", async () => {
  const away = answering(() => Promise.reject(new AppError("database_unavailable")));
  const passed = await createApp({ decisions: away, whenUnavailable: "admit" })();
  assert.equal(passed.status, 200);
  assert.deepEqual(await passed.json(), { verified: false });
  assert.equal((await createApp({ decisions: away })()).status, 503);
});

Deno.test("which is for a database that is away, not for one that fails or refuses", async () => {
  const failing = answering(() => Promise.reject(new Error("42P01")));
  assert.equal((await createApp({ decisions: failing, whenUnavailable: "admit" })()).status, 500);
  const refusing = answering(() => Promise.resolve({ ...decided, allowed: false, code: "revoked" }));
  assert.equal((await createApp({ decisions: refusing, whenUnavailable: "admit" })()).status, 401);
});

Deno.test("a cost that is none is the route's mistake: nobody passes, and nothing is spent", async () => {
  const leases = {
    decide: () => Promise.reject(new Error("spent")),
    close: () => Promise.resolve(),
  } as unknown as Leases;
  for (const cost of [0, -1, 1.5, NaN, Infinity, 1_000_000_001, "7" as unknown as number]) {
    const asked: { request: Request; cost: number }[] = [];
    const decisions = answering(() => Promise.resolve(decided), asked);
    assert.equal((await createApp({ decisions, cost: () => cost })()).status, 500);
    assert.equal((await createApp({ decisions, leases, cost, whenUnavailable: "admit" })()).status, 500);
    assert.deepEqual(asked, []);
  }
});

Deno.test("one request has one key: a second one, in whatever header, is none", async () => {
  const asked: { request: Request; cost: number }[] = [];
  const call = createApp({ decisions: answering(() => Promise.resolve(decided), asked) });
  const other = "nk_live_00000000000000000000000000000000000000000000000000";
  const twice = (name: string, ...values: string[]) => {
    const headers = new Headers();
    for (const value of values) headers.append(name, value);
    return headers;
  };
  const ambiguous: HeadersInit[] = [
    { authorization: `Bearer ${KEY}`, "x-api-key": other },
    { authorization: `Bearer ${other}`, "x-api-key": KEY },
    twice("authorization", `Bearer ${KEY}`, `Bearer ${other}`),
    twice("authorization", `Bearer ${KEY}`, "Bearer eyJhbGciOiJub25lIn0.e30."),
    twice("x-api-key", KEY, KEY),
    { authorization: `Bearer ${KEY} ${other}`, "x-api-key": KEY },
  ];
  for (const headers of ambiguous) assert.equal((await call(headers)).status, 401);
  assert.deepEqual(asked, []);

  const clear: HeadersInit[] = [
    { authorization: `bearer   ${KEY}` },
    { authorization: `Bearer ${KEY}`, "x-api-key": KEY },
    { authorization: "Bearer eyJhbGciOiJub25lIn0.e30.", "x-api-key": KEY },
  ];
  for (const headers of clear) assert.equal((await call(headers)).status, 200);
});

Deno.test("a key in the URL is no key, and in no log", async () => {
  const { log, lines } = createTestLog();
  const app = createFunction({ name: "test", log });
  const decisions = answering(() => Promise.reject(new Error(`cannot decide on ${KEY}`)));
  app.get("/:id", withApiKey({ scope: "s.read", metric: "m", ipHeader: "ip", decisions }), (c) => c.text(""));
  assert.equal((await app.request(`/test/${KEY}?apikey=${KEY}&x-api-key=${KEY}`)).status, 401);
  assert.equal(
    (await app.request(`/test/1`, { headers: { "x-api-key": KEY, "x-request-id": KEY } })).status,
    500,
  );
  assert.equal(lines.length, 2);
  assert.doesNotMatch(JSON.stringify(lines), new RegExp(KEY.slice(12, -4)));
});
