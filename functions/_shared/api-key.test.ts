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
  return () => app.request("/test/w1", { headers: { "x-api-key": KEY } });
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
