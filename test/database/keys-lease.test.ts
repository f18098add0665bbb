import postgres from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";
import { createDecisions } from "../../functions/_shared/decisions.ts";
import { createLeases } from "../../functions/_shared/lease.ts";
import { denoBinary } from "../../src/stack/functions/deno.ts";
import { startInstance } from "../../src/stack/functions/instance.ts";
import { repository } from "../../src/stack/repository.ts";
import {
  account,
  addApplication,
  createKey,
  limitTo,
  METRIC,
  SCOPE,
  type TestKey,
} from "../support/api-keys.ts";
import { type Crowd, gather } from "../support/crowd.ts";
import { sameMonth } from "../support/month.ts";

const { databaseUrl } = inject("project");
const sql = postgres(databaseUrl, { max: 10, onnotice() {}, prepare: false });
afterAll(() => sql.end());

let statements = 0;
const decisions = createDecisions({
  run: (work) => {
    statements++;
    return work(sql);
  },
  close: async () => {},
});

let crowd: Crowd;
let owner: string;
let key: TestKey;
beforeEach(async () => {
  await sameMonth();
  crowd = await gather(sql);
  [owner = ""] = await crowd.people(1, "owner");
  key = await createKey(crowd, owner, await addApplication(sql, crowd));
});
afterEach(async () => {
  await sql`delete from private.request_log where organization_id = ${crowd.organization}`;
  await crowd.disband();
});

const ask = (context: object = {}) => ({ hash: key.hash, scope: SCOPE, metric: METRIC, context });

test("what the database decides arrives whole", async () => {
  await limitTo(sql, crowd.organization, { perMonth: 1_000, perSecond: 10, keyPerSecond: 20 });
  const decision = await decisions.authorize(ask({ request_id: "it's \\ one\n🧑‍🚀", ip: "192.0.2.1" }), 3);
  expect(decision).toMatchObject({
    allowed: true,
    code: "allowed",
    organizationId: crowd.organization,
    keyId: key.id,
    environment: "live",
    limit: 1_000,
    remaining: 997,
    rateLimit: 20,
    rateRemaining: 19,
    retryAfter: null,
  });
  expect(decision.resetAt?.getTime()).toBeGreaterThan(Date.now());
  const [logged] =
    await sql`select request_id from private.request_log where organization_id = ${crowd.organization}`;
  expect(logged?.["request_id"]).toBe("it's \\ one\n🧑‍🚀");
});

test("isolates with leases of their own, thousands of requests at once: the quota holds to the last one", async () => {
  await limitTo(sql, crowd.organization, { perMonth: 5_000 });
  // What they may have out at once is less than the quota has beyond what they ask for, however the blocks fall.
  const isolates = Array.from({ length: 5 }, () => createLeases({ decisions, most: 64 }));
  statements = 0;
  let allowed = 0;
  await Promise.all(
    isolates.map(async (leases) => {
      for (let batch = 0; batch < 15; batch++) {
        const decided = await Promise.all(Array.from({ length: 50 }, () => leases.decide(ask(), 1)));
        allowed += decided.filter((decision) => decision.allowed).length;
      }
    }),
  );
  expect(allowed).toBe(5 * 15 * 50);
  expect(statements).toBeLessThan(allowed / 10);
  await Promise.all(isolates.map((leases) => leases.close()));
  expect(await account(sql, crowd.organization)).toEqual({ used: allowed, logged: allowed, leased: 0 });

  while ((await decisions.authorize(ask(), 1)).allowed);
  expect((await createLeases({ decisions }).decide(ask(), 1)).code).toBe("quota_exceeded");
  expect(await account(sql, crowd.organization)).toEqual({ used: 5_000, logged: 5_000, leased: 0 });
});

test("a revoked key is refused once its lease has ended, which is soon", async () => {
  await limitTo(sql, crowd.organization, {});
  const leases = createLeases({ decisions, ttlSeconds: 1 });
  const started = performance.now();
  expect((await leases.decide(ask(), 1)).code).toBe("allowed");
  const taken = performance.now() - started;
  await crowd.as(owner, (request) => request`select public.revoke_api_key(${key.id})`);
  let code = "allowed";
  let lastAllowed = 0;
  while (code === "allowed") {
    const asked = performance.now() - started;
    code = (await leases.decide(ask(), 1)).code;
    if (code === "allowed") lastAllowed = asked;
    // Timers have their turn, too.
    await new Promise(setImmediate);
  }
  expect(code).toBe("revoked");
  // The lease began after `started`, when its first answer was asked for.
  expect(lastAllowed).toBeLessThan(1_000 + taken);
  await leases.close();
  const { used, logged } = await account(sql, crowd.organization);
  expect(logged).toBe(used);
});

test("a lease lasts no longer than what the plan grants, whatever was asked for", async () => {
  await limitTo(sql, crowd.organization, {});
  await sql`
    update private.usage_counters set valid_until = clock_timestamp() + interval '1 second'
    where organization_id = ${crowd.organization}`;
  const { lease } = await decisions.lease(ask(), 8, 5);
  expect(lease?.seconds).toBeLessThanOrEqual(1);
  await sql`update private.usage_counters set valid_until = 'infinity' where organization_id = ${crowd.organization}`;
  const whole = await decisions.lease(ask(), 8, 5);
  expect(whole.lease?.seconds).toBeGreaterThan(1);
  expect(whole.lease?.seconds).toBeLessThanOrEqual(5);
});

test("a key for single addresses is leased to each address on its own", async () => {
  await limitTo(sql, crowd.organization, {});
  await sql`update public.api_keys set allowed_cidrs = '{192.0.2.0/24}' where id = ${key.id}`;
  const leases = createLeases({ decisions });
  const codes = await Promise.all(
    ["192.0.2.1", "198.51.100.1", "192.0.2.1", "192.0.2.2", undefined].map(
      async (ip) => (await leases.decide(ask(ip ? { ip } : {}), 1)).code,
    ),
  );
  expect(codes).toEqual(["allowed", "forbidden_ip", "allowed", "allowed", "forbidden_ip"]);
  expect((await leases.decide(ask({ ip: "198.51.100.1" }), 1)).code).toBe("forbidden_ip");
  await leases.close();
});

test("the function as it is served decides by leases where it is told to: few rows, and the quota to the last one", async () => {
  await limitTo(sql, crowd.organization, { perMonth: 300 });
  const api = await startInstance({
    name: "api",
    directory: repository("functions"),
    environment: { SUPABASE_DB_URL: databaseUrl, API_LEASE_SECONDS: "1" },
    deno: denoBinary(),
    onSpawn: () => {},
    onLine: () => {},
    bootLimitMs: 60_000,
  });
  try {
    const ping = async () => {
      const headers = { "x-api-key": key.secret };
      const response = await fetch(`http://127.0.0.1:${api.port}/api/ping`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    let admitted = 0;
    // A block that was out when the quota seemed to be used up has come back a second later.
    await expect
      .poll(
        async () => {
          const statuses = await Promise.all(Array.from({ length: 100 }, ping));
          expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
          admitted += statuses.filter((status) => status === 200).length;
          return admitted;
        },
        { timeout: 20_000, interval: 200 },
      )
      .toBe(300);
    await expect
      .poll(() => account(sql, crowd.organization), { timeout: 20_000 })
      .toEqual({
        used: 300,
        logged: 300,
        leased: 0,
      });
    const [rows] = await sql`
      select count(*)::integer as written, bool_or(request_id like 'lease:%') as leases
      from private.request_log where organization_id = ${crowd.organization}`;
    expect(rows?.["leases"]).toBe(true);
    expect(rows?.["written"]).toBeLessThan(100);
  } finally {
    await api.kill();
  }
});
