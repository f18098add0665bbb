import postgres, { type ISql, type Sql } from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { createDecisions } from "../../functions/_shared/decisions.ts";
import {
  account,
  addApplication,
  createKey,
  decide,
  hashOf,
  limitTo,
  METRIC,
  SCOPE,
  type TestKey,
} from "../support/api-keys.ts";
import { type Crowd, gather, tally } from "../support/crowd.ts";
import { sameMonth } from "../support/month.ts";

const { databaseUrl } = inject("project");
let sql: Sql;
// The file that runs beside this one may open fifty as well, later.
let connections = 150;

beforeAll(async () => {
  // Other tests, and a smaller server, need some as well.
  const probe = postgres(databaseUrl, { max: 1 });
  const [server] = await probe`
    select current_setting('max_connections')::integer - count(*)::integer - 20 as free from pg_stat_activity`;
  await probe.end();
  connections = Math.min(connections, server?.["free"] ?? connections);
  sql = postgres(databaseUrl, { max: connections, onnotice() {} });
  // All are open before anything is timed.
  await Promise.all(Array.from({ length: connections }, () => sql`select 1`));
});
afterAll(() => sql.end());

interface Tenant {
  crowd: Crowd;
  owner: string;
  application: string;
  key: TestKey;
}

let tenant: Tenant;
let other: Tenant;

async function found(): Promise<Tenant> {
  const crowd = await gather(sql);
  const [owner = ""] = await crowd.people(1, "owner");
  const application = await addApplication(sql, crowd);
  return { crowd, owner, application, key: await createKey(crowd, owner, application) };
}

beforeEach(async () => {
  await sameMonth();
  tenant = await found();
  other = await found();
});
afterEach(async () => {
  await sql`delete from private.request_log where organization_id in (${tenant.crowd.organization}, ${other.crowd.organization})`;
  await tenant.crowd.disband();
  await other.crowd.disband();
});

/** As the functions ask. */
const asServersAsk = (sql: Sql, hash: Buffer, context: object = {}) =>
  createDecisions({ run: (work) => work(sql), close: async () => {} }).authorize(
    { hash, scope: SCOPE, metric: METRIC, context },
    1,
  );

/** Calls it `times` times on every connection, all at once, and counts the codes. */
async function rush(times: number, call: (n: number) => Promise<{ code: string }>) {
  const codes: Record<string, number> = {};
  await Promise.all(
    Array.from({ length: connections }, async (_, connection) => {
      for (let n = 0; n < times; n++) {
        const { code } = await call(connection * times + n);
        codes[code] = (codes[code] ?? 0) + 1;
      }
    }),
  );
  return codes;
}

test.each([
  ["within a transaction", decide],
  ["as servers ask", asServersAsk],
])("a quota lets through its number, whatever comes at once, asked %s", async (_, ask) => {
  await limitTo(sql, tenant.crowd.organization, { perMonth: 500 });
  const codes = await rush(4, () => ask(sql, tenant.key.hash));
  expect(codes).toEqual({ allowed: 500, quota_exceeded: connections * 4 - 500 });
  expect(await account(sql, tenant.crowd.organization)).toEqual({ used: 500, logged: 500, leased: 0 });
});

test("a quota is one for all keys, and for requests of any cost", async () => {
  const { crowd, owner, application, key } = tenant;
  const keys = [key, await createKey(crowd, owner, application), await createKey(crowd, owner, application)];
  await limitTo(sql, crowd.organization, { perMonth: 600 });
  let admitted = 0;
  await rush(4, async (n) => {
    const cost = 1 + (n % 3);
    const decision = await decide(sql, keys[n % keys.length]?.hash as Buffer, {}, cost);
    if (decision.code === "allowed") admitted += cost;
    return decision;
  });
  expect(admitted).toBeGreaterThan(597);
  expect(await account(sql, crowd.organization)).toEqual({ used: admitted, logged: admitted, leased: 0 });
  expect(admitted).toBeLessThanOrEqual(600);
});

test.each([
  ["an organization's", { perSecond: 4 }],
  ["a key's", { keyPerSecond: 4 }],
])("%s rate lets through no more than its share of the time", async (_, limits) => {
  await limitTo(sql, tenant.crowd.organization, limits);
  const clock = async () => {
    const [{ now } = { now: 0 }] = await sql<
      { now: number }[]
    >`select extract(epoch from clock_timestamp())::float8 as now`;
    return now;
  };
  const started = await clock();
  const codes = await rush(4, () => decide(sql, tenant.key.hash));
  const seconds = (await clock()) - started;
  expect(Object.keys(codes).sort()).toEqual(["allowed", "rate_limited"]);
  expect(codes["allowed"]).toBeGreaterThanOrEqual(8);
  expect(codes["allowed"]).toBeLessThanOrEqual(4 * (seconds + 2));
  expect(await account(sql, tenant.crowd.organization)).toMatchObject({
    used: codes["allowed"],
    logged: codes["allowed"],
  });
});

test.each([
  ["within a transaction", decide],
  ["as servers ask", asServersAsk],
])("one request asked for many times at once is one, asked %s", async (_, ask) => {
  await limitTo(sql, tenant.crowd.organization, { perMonth: 20 });
  const codes = await rush(2, (n) => ask(sql, tenant.key.hash, { request_id: `request ${n % 20}` }));
  expect(codes).toEqual({ allowed: connections * 2 });
  expect(await account(sql, tenant.crowd.organization)).toEqual({ used: 20, logged: 20, leased: 0 });
  expect((await decide(sql, tenant.key.hash, { request_id: "request 20" })).code).toBe("quota_exceeded");
});

test.each([
  ["within a transaction", decide],
  ["as servers ask", asServersAsk],
])(
  "once revoke_api_key has returned, nothing is admitted, not even what was under way, asked %s",
  async (_, ask) => {
    await limitTo(sql, tenant.crowd.organization, {});
    let revoked = false;
    const rushing = rush(1, async () => {
      let decision = await ask(sql, tenant.key.hash);
      while (!revoked && decision.code === "allowed") decision = await ask(sql, tenant.key.hash);
      return decision;
    });
    const revoking = postgres(databaseUrl, { max: 1 });
    const before = await account(sql, tenant.crowd.organization);
    await revoking.begin(async (transaction) => {
      const claims = JSON.stringify({ sub: tenant.owner, role: "authenticated" });
      await transaction`
      select set_config('role', 'authenticated', true), set_config('request.jwt.claims', ${claims}, true)`;
      await transaction`select public.revoke_api_key(${tenant.key.id})`;
    });
    const atReturn = await account(revoking, tenant.crowd.organization);
    revoked = true;
    await rushing;
    expect(await account(sql, tenant.crowd.organization)).toEqual(atReturn);
    expect(atReturn.used).toBeGreaterThanOrEqual(before.used);
    expect((await decide(sql, tenant.key.hash)).code).toBe("revoked");
    await revoking.end();
  },
);

test("what servers are told is allowed is on disk by then, and no answer leaves its setting behind", async () => {
  await limitTo(sql, tenant.crowd.organization, {});
  const durable = postgres(databaseUrl, { max: 1, connection: { synchronous_commit: "on" } });
  for (let n = 0; n < 30; n++) {
    const [before] = await durable<
      { written: string }[]
    >`select pg_current_wal_insert_lsn()::text as written`;
    expect((await asServersAsk(durable, tenant.key.hash)).code).toBe("allowed");
    const [after] = await durable`
      select pg_current_wal_flush_lsn() > ${before?.written ?? ""}::text::pg_lsn as on_disk,
        current_setting('synchronous_commit') as commits`;
    expect(after).toEqual({ on_disk: true, commits: "on" });
  }
  await durable.end();
});

test("one request asked several times at once is counted once, also while limits change", async () => {
  const { organization } = tenant.crowd;
  await limitTo(sql, organization, {});
  let asking = true;
  const change = async () => {
    for (let limit = 10_000; asking; limit++)
      await sql`
      update public.entitlement_overrides set value = ${limit}
      where organization_id = ${organization} and key = 'api_requests.per_month'`;
  };
  const ask = (request_id: string) => sql`
    select code from public.authorize_request(${tenant.key.hash}, ${SCOPE}, ${METRIC}, 1, ${sql.json({ request_id })})`;
  const changing = change();
  try {
    for (let round = 0; round < 40; round++) {
      const answers = await Promise.all(Array.from({ length: 16 }, (_, n) => ask(`${round}: ${n % 2}`)));
      expect(answers.flat()).toEqual(Array(16).fill({ code: "allowed" }));
    }
  } finally {
    asking = false;
    await changing;
  }
  expect(await account(sql, organization)).toEqual({ used: 80, logged: 80, leased: 0 });
});

test("a key is rotated under load, and no request with either secret is refused", async () => {
  await limitTo(sql, tenant.crowd.organization, {});
  const { crowd, owner, key } = tenant;
  const hashes = [key.hash];
  const rotate = () =>
    crowd.as(owner, async (request) => {
      const [rotated] = await request<{ secret: string }[]>`
        select secret from public.rotate_api_key(${key.id}, '1 hour')`;
      return hashOf(rotated?.secret ?? "");
    });
  const [codes] = await Promise.all([
    rush(5, (n) => decide(sql, hashes[n % hashes.length] as Buffer)),
    rotate().then((hash) => hashes.push(hash)),
  ]);
  expect(codes).toEqual({ allowed: connections * 5 });
});

test("rotated by many and revoked at once: one secret goes on, then none, whoever was first", async () => {
  await limitTo(sql, tenant.crowd.organization, {});
  const { crowd, owner, key } = tenant;
  const rotate = () =>
    crowd.as(owner, async (request) => {
      const [rotated] = await request<{ secret: string }[]>`
        select secret from public.rotate_api_key(${key.id}, '0')`;
      return hashOf(rotated?.secret ?? "");
    });
  const revoke = () => crowd.as(owner, (request) => request`select public.revoke_api_key(${key.id})`);
  const codesOf = (hashes: Buffer[]) =>
    Promise.all(hashes.map(async (hash) => (await decide(sql, hash)).code));

  const rotated = await Promise.all(Array.from({ length: 20 }, rotate));
  const codes = await codesOf([key.hash, ...rotated]);
  expect(codes.toSorted().slice(0, 2)).toEqual(["allowed", "expired"]);
  expect(new Set(codes)).toEqual(new Set(["allowed", "expired", "invalid_key"]));
  const [stored] = await sql`
    select count(*)::integer as secrets, count(*) filter (where valid_until = 'infinity')::integer as lasting
    from private.api_key_secrets where key_id = ${key.id}`;
  expect(stored).toEqual({ secrets: 2, lasting: 1 });

  const attempts = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => (n % 5 === 0 ? revoke() : rotate())),
  );
  const { done = 0, api_key_revoked = 0, ...others } = tally(attempts);
  expect([done + api_key_revoked, others]).toEqual([20, {}]);
  expect(attempts.filter(({ status }, n) => n % 5 === 0 && status === "fulfilled")).toHaveLength(1);
  const made = attempts.flatMap((one) =>
    one.status === "fulfilled" && Buffer.isBuffer(one.value) ? [one.value] : [],
  );
  for (const code of await codesOf([key.hash, ...rotated, ...made])) {
    expect(["revoked", "invalid_key"]).toContain(code);
  }
});

test.each([
  ["a quota that is used up", 50],
  ["no quota", null],
])("at the end of a period with %s, each request counts where it is written down", async (_, perMonth) => {
  const { organization } = tenant.crowd;
  await limitTo(sql, organization, { perMonth });
  const [{ ends } = { ends: "" }] = await sql<{ ends: string }[]>`
    update private.usage_counters
    set period_starts_at = '2000-01-01', valid_until = clock_timestamp() + interval '500 milliseconds'
    where organization_id = ${organization}
    returning valid_until::text as ends`;
  // As a text: the driver would cut it to milliseconds.
  let over = false;
  await rush(1, async () => {
    let decision = await decide(sql, tenant.key.hash);
    while (!over) {
      const [{ past } = { past: false }] = await sql<{ past: boolean }[]>`
        select clock_timestamp() > ${ends}::text::timestamptz + interval '300 milliseconds' as past`;
      over ||= past;
      decision = await decide(sql, tenant.key.hash);
    }
    return decision;
  });
  const [counts] = await sql`
    select count(*) filter (where occurred_at < ${ends}::text::timestamptz)::integer as before,
      count(*) filter (where occurred_at >= ${ends}::text::timestamptz)::integer as after,
      private.metric_used(${organization}, ${METRIC})::integer as used
    from private.request_log where organization_id = ${organization}`;
  for (const period of ["before", "after"]) {
    expect(counts?.[period]).toBeLessThanOrEqual(perMonth ?? Number.POSITIVE_INFINITY);
  }
  expect(counts?.["after"]).toBeGreaterThan(0);
  expect(counts?.["used"]).toBe(counts?.["after"]);
});

test("a request that waited for the counter while a new period began is one of the new period", async () => {
  const { organization } = tenant.crowd;
  await limitTo(sql, organization, {});
  await sql`update private.usage_counters set period_starts_at = '2000-01-01' where organization_id = ${organization}`;
  const waiting = async (holder: ISql) => {
    const [{ blocked } = { blocked: false }] = await sql<{ blocked: boolean }[]>`
      select exists (
        select from pg_stat_activity where (${await pidOf(holder)})::integer = any (pg_blocking_pids(pid))
      ) as blocked`;
    return blocked;
  };
  let deciding: Promise<{ code: string }> | undefined;
  await sql.begin(async (holder) => {
    await holder`select from private.usage_counters where organization_id = ${organization} for update`;
    deciding = decide(sql, tenant.key.hash);
    while (!(await waiting(holder)));
    await holder`
      update private.usage_counters set period_starts_at = clock_timestamp(), used = 0
      where organization_id = ${organization}`;
  });
  expect(await deciding).toMatchObject({ code: "allowed" });
  const [request] = await sql`
    select occurred_at >= period_starts_at as in_period, used::integer
    from private.request_log join private.usage_counters using (organization_id)
    where organization_id = ${organization}`;
  expect(request).toEqual({ in_period: true, used: 1 });
});

const pidOf = async (connection: ISql): Promise<number> => {
  const [backend] = await connection<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return backend?.pid ?? 0;
};

test("two organizations never wait for each other", async () => {
  for (const { crowd } of [tenant, other]) await limitTo(sql, crowd.organization, {});
  const impatient = (hash: Buffer) =>
    sql.begin(async (transaction) => {
      await transaction`set local lock_timeout = '100ms'`;
      return await decide(transaction as unknown as Sql, hash);
    });
  await sql.begin(async (holder) => {
    await holder`select from private.usage_counters where organization_id = ${tenant.crowd.organization} for update`;
    await holder`select from private.api_key_counters where key_id = ${tenant.key.id} for update`;
    await holder`select from public.organizations where id = ${tenant.crowd.organization} for no key update`;
    await expect(impatient(tenant.key.hash)).rejects.toMatchObject({ code: "55P03" });
    expect(await impatient(other.key.hash)).toMatchObject({ code: "allowed" });
  });
  expect(await impatient(tenant.key.hash)).toMatchObject({ code: "allowed" });
});

test.each([
  ["a request", "select code from private.authorize_request($1, $2, $3)"],
  ["a lease", "select code from public.lease_budget($1, $2, $3, 20)"],
])("who is refused %s waits for nobody, and nobody waits for them", async (_, ask) => {
  await limitTo(sql, tenant.crowd.organization, { perMonth: 0 });
  const refused = async (connection: ISql) => {
    await connection`set local lock_timeout = '100ms'`;
    const [decision] = await connection.unsafe(ask, [tenant.key.hash, SCOPE, METRIC]);
    expect(decision?.["code"]).toBe("quota_exceeded");
  };
  const lock = (connection: ISql) =>
    connection`
      select from private.usage_counters join private.api_key_counters on key_id = ${tenant.key.id}
      where organization_id = ${tenant.crowd.organization} for update nowait`;
  await sql.begin(async (holder) => {
    await lock(holder);
    await sql.begin(refused);
  });
  await sql.begin(async (holder) => {
    await refused(holder);
    await sql.begin(lock);
  });
});

test("leases, returned, returned twice, lost or never committed: no limit is passed, nothing is lost", async () => {
  const { organization } = tenant.crowd;
  await limitTo(sql, organization, { perMonth: 3_000 });
  let granted = 0;
  await rush(2, async (n) => {
    const [lease] = await sql
      .begin(async (transaction) => {
        const rows = await transaction<{ code: string; lease_id: string; granted: string }[]>`
        select code, lease_id, granted from public.lease_budget(${tenant.key.hash}, ${SCOPE}, ${METRIC}, ${1 + (n % 50)})`;
        if (n % 7 === 0) throw new Error("the isolate dies before its lease is committed");
        return rows;
      })
      .catch(() => []);
    if (lease?.code !== "allowed") return { code: lease?.code ?? "died" };
    granted += Number(lease.granted);
    // Every fifth is lost with its isolate.
    if (n % 5 > 0) {
      const spent = n % (Number(lease.granted) + 1);
      const returns = await Promise.all(
        [1, 2].map(() => sql`select public.return_lease(${lease.lease_id}, ${spent}) as done`),
      );
      expect(returns.map(([row]) => row?.["done"]).sort()).toEqual([false, true]);
      granted -= Number(lease.granted) - spent;
    }
    return lease;
  });
  const open = await account(sql, organization);
  expect(open.used).toBe(granted);
  expect(open.logged + open.leased).toBe(open.used);
  expect(open.used).toBeLessThanOrEqual(3_000);

  await sql`update private.usage_leases set expires_at = '2000-01-01' where organization_id = ${organization}`;
  await Promise.all(Array.from({ length: 5 }, () => sql`select private.settle_expired_leases()`));
  expect(await account(sql, organization)).toEqual({ used: open.used, logged: open.used, leased: 0 });
});

test("leases and single requests at once keep to one quota", async () => {
  const { organization } = tenant.crowd;
  await limitTo(sql, organization, { perMonth: 1_000 });
  await rush(4, async (n) => {
    if (n % 4 > 0) return await decide(sql, tenant.key.hash);
    const [lease] = await sql<{ code: string; lease_id: string; granted: string }[]>`
      select code, lease_id, granted from public.lease_budget(${tenant.key.hash}, ${SCOPE}, ${METRIC}, 20)`;
    if (lease?.lease_id)
      await sql`select public.return_lease(${lease.lease_id}, ${Number(lease.granted) - 1})`;
    return { code: lease?.code ?? "" };
  });
  while ((await decide(sql, tenant.key.hash)).code === "allowed");
  expect(await account(sql, organization)).toEqual({ used: 1_000, logged: 1_000, leased: 0 });
});

test("20 keys made at once where the plan has room for four: four are", async () => {
  const { crowd, owner, application } = tenant;
  const attempts = await Promise.allSettled(
    Array.from({ length: 20 }, () => createKey(crowd, owner, application)),
  );
  expect(tally(attempts)).toEqual({ done: 4, limit_reached: 16 });
});

test("an organization that is closed under load admits nothing afterwards", async () => {
  const { crowd, owner, key } = tenant;
  await limitTo(sql, crowd.organization, {});
  const [codes] = await Promise.all([
    rush(1, async () => {
      let decision = await decide(sql, key.hash);
      while (decision.code === "allowed") decision = await decide(sql, key.hash);
      return decision;
    }),
    crowd.as(owner, (request) => request`select public.close_organization(${crowd.organization})`),
  ]);
  expect(codes).toEqual({ organization_closed: connections });
});
