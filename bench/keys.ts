import { randomUUID } from "node:crypto";
import postgres, { type Sql } from "postgres";
import { createDecisions } from "../functions/_shared/decisions.ts";
import { createLeases } from "../functions/_shared/lease.ts";
import { createPostgres } from "../functions/_shared/postgres.ts";
import { withThrowawayDatabase } from "../src/stack/postgres/throwaway.ts";
import type { Benchmark, Report } from "./bench.ts";
import { median } from "./side-by-side.ts";

const CONNECTIONS = 16;
const TENANTS = 1_000;
const ROUNDS = 12;
const ROUND_MS = 400;

const benchmark: Benchmark = {
  about:
    `decisions a second of ${CONNECTIONS} connections: one hot tenant and ${TENANTS} of them against a bare update of one ` +
    "row (of as many) and the floor, which is that update and an insert in one statement; with commits on disk as they are " +
    "deployed, and without",

  async run(report) {
    for (const durable of [true, false]) {
      await withThrowawayDatabase((server) => measure(server.url("supabase_admin"), durable, report), {
        durable,
      });
    }
  },
};
export default benchmark;

async function measure(url: string, durable: boolean, report: Report): Promise<void> {
  const sql = postgres(url, { max: CONNECTIONS, onnotice() {} });
  const keys = await fill(sql);
  const hot = keys[0] as Buffer;
  // In one transaction, which keeps the counters until the disk has it: as authorize_request is called through the API.
  const decideInOne = (hash: Buffer) =>
    sql`select allowed, code, remaining from private.authorize_request(
      ${hash}, 'applications.read', 'api_requests', 1, ${sql.json({ request_id: randomUUID() })})`;
  // As functions ask, from as many connections.
  const servers = createPostgres({ url: () => url, connections: CONNECTIONS });
  const decisions = createDecisions(servers);
  const ask = (hash: Buffer) => ({
    hash,
    scope: "applications.read",
    metric: "api_requests",
    context: { request_id: randomUUID() },
  });
  const leases = createLeases({ decisions });
  const any = () => Math.floor(Math.random() * TENANTS);

  const variants: Record<string, () => Promise<unknown>> = {
    select_1: () => sql`select 1`,
    update: () => sql`update private.bench_rows set n = n + 1 where id = 0 returning n`,
    // The least that counts and writes down: one row of each, without a look at any key.
    floor: () => sql`
      with counted as (update private.bench_rows set n = n + 1 where id = 0 returning n)
      insert into private.bench_log
      select ${ORGANIZATION}, ${randomUUID()}, clock_timestamp(), 1, ${ORGANIZATION}, ${ORGANIZATION}, 'live', 'api_requests'
      from counted
      on conflict do nothing
      returning quantity`,
    decide: () => decisions.authorize(ask(hot), 1),
    decide_in_one_transaction: () => decideInOne(hot),
    update_1000: () => sql`update private.bench_rows set n = n + 1 where id = ${any()} returning n`,
    decide_1000: () => decisions.authorize(ask(keys[any()] as Buffer), 1),
    lease: () => leases.decide(ask(hot), 1),
  };
  const rates = await inTurns(variants, (round) =>
    report.step(`${durable ? "on disk" : "in memory"}: round ${round}`),
  );
  await leases.close();
  await Promise.all([sql.end(), servers.close()]);

  for (const [name, samples] of Object.entries(rates)) {
    report.row({
      commits: durable ? "on disk" : "in memory",
      variant: name,
      "a second": Math.round(median(samples)),
    });
  }
  // Of the same round each: what else the machine does changes from one to the next, and most of all on its disk.
  const compare = (ratio: string, name: string, other: string) =>
    report.ratio(
      ratio + (durable ? "" : "_in_memory"),
      median((rates[name] ?? []).map((rate, round) => rate / (rates[other]?.[round] ?? Number.NaN))),
    );
  compare("decide_vs_update", "decide", "update");
  compare("decide_in_one_transaction_vs_update", "decide_in_one_transaction", "update");
  compare("floor_vs_update", "floor", "update");
  compare("decide_vs_floor", "decide", "floor");
  compare("tenants_1000_vs_update", "decide_1000", "update_1000");
  compare("decide_vs_select_1", "decide", "select_1");
  compare("lease_gain", "lease", "decide");
}

/** The rates of each variant, in calls a second: all connections at once, in rounds that take turns. */
async function inTurns(
  variants: Record<string, () => Promise<unknown>>,
  onRound: (round: number) => void,
): Promise<Record<string, number[]>> {
  const samples = Object.fromEntries(Object.keys(variants).map((name) => [name, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round++) {
    onRound(round);
    for (const [name, call] of Object.entries(variants)) {
      const rate = await rateOf(call);
      // The first round warms up.
      if (round > 0) samples[name]?.push(rate);
    }
  }
  return samples;
}

async function rateOf(call: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  let calls = 0;
  const client = async () => {
    for (; performance.now() - started < ROUND_MS; calls++) await call();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  return (calls / (performance.now() - started)) * 1000;
}

/** An organization, a member, an application and a key for each tenant, with limits that nobody reaches. */
async function fill(sql: Sql): Promise<Buffer[]> {
  await sql`create table private.bench_rows (id integer primary key, n bigint not null) with (fillfactor = 50)`;
  await sql`insert into private.bench_rows select n, 0 from generate_series(0, ${TENANTS - 1}) as n`;
  await sql`create table private.bench_log (like private.request_log including indexes)`;
  await sql`
    update public.entitlement_keys set default_value = 1000000000
    where key in ('api_requests.per_month', 'api_requests.per_second', 'key_requests.per_second')`;
  await sql`insert into auth.users (id, email) values (${USER}, 'bench@example.com')`;
  await sql`
    insert into public.organizations (name, slug)
    select 'Organization ' || n, 'organization-' || n from generate_series(1, ${TENANTS}) as n`;
  await sql`
    insert into public.memberships (organization_id, user_id, role_key)
    select id, ${USER}, 'owner' from public.organizations`;
  await sql`
    insert into public.applications (organization_id, name, slug)
    select id, 'Application', 'application' from public.organizations`;
  await sql`
    with made as (
      insert into public.api_keys
        (organization_id, application_id, name, environment, scopes, prefix, last_four, granted_by)
      select organization_id, id, 'Key', 'live', '{applications.read}', 'nk_live_', '0000', ${USER} from public.applications
      returning id
    ), counted as (
      insert into private.api_key_counters (key_id) select id from made
    )
    insert into private.api_key_secrets (hash, key_id) select sha256(uuid_send(id)), id from made`;
  await sql`vacuum (analyze)`;
  const rows = await sql<{ hash: Buffer }[]>`select hash from private.api_key_secrets`;
  return rows.map(({ hash }) => hash);
}

const ORGANIZATION = "00000000-0000-4000-8000-000000000002";
const USER = "00000000-0000-4000-8000-000000000001";
