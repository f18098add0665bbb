import postgres, { type ISql } from "postgres";
import { withThrowawayDatabase } from "../src/stack/postgres/throwaway.ts";
import type { Benchmark, Report } from "./bench.ts";
import { sideBySide } from "./side-by-side.ts";

const ORGANIZATIONS = 1_000;
const ROWS = 1_000_000;
const PAGE = 50;

/** How many organizations each caller belongs to. */
const CALLERS = [1, 10, 500] as const;
type Caller = (typeof CALLERS)[number];

/** Each way of reading is a role: one table, one set of rows, other policies. */
const WAYS = {
  /** No row security: the tenants are filtered by hand. */
  floor: "service_role",
  rls: "authenticated",
  /** Believing the token's own list of organizations, after a probe that it is still current. */
  claims: "bench_claims",
  naive: "bench_naive",
  per_row: "bench_per_row",
} as const;
type Way = keyof typeof WAYS;

const benchmark: Benchmark = {
  about:
    `${ROWS} rows, ${ORGANIZATIONS} organizations: our policies, the usual ones, and tenants filtered by hand ` +
    "without row security; as a request runs it (begin, role and claims, query, commit), and the bare statement",

  async run(report) {
    await withThrowawayDatabase(async (server) => {
      await fill(server.url("supabase_admin"), report);
      for (const caller of CALLERS) await measure(server.url("supabase_admin"), caller, report);
    });
    summarize(report);
  },
};
export default benchmark;

const userId = (caller: Caller) => `00000000-0000-4000-8000-${String(caller).padStart(12, "0")}`;

async function fill(url: string, report: Report): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice() {} });
  report.step(`inserting ${ROWS} applications of ${ORGANIZATIONS} organizations`);
  await sql`
    insert into public.organizations (name, slug)
    select 'Organization ' || n, 'organization-' || n from generate_series(1, ${ORGANIZATIONS}) as n`;
  // What writing costs with an audit log is `bench audit`'s to tell.
  await sql`set session_replication_role = replica`;
  await sql`
    insert into public.applications (organization_id, name, slug)
    select organization.id, 'Application ' || n, 'application-' || n
    from generate_series(1, ${ROWS / ORGANIZATIONS}) as n, public.organizations as organization`;
  await sql`set session_replication_role = origin`;
  // A crowd of ordinary members, so that the planner's statistics are those of a real table.
  await sql`insert into auth.users (id, email) select gen_random_uuid(), n || '@example.net' from generate_series(1, 10000) as n`;
  await sql`
    insert into public.memberships (organization_id, user_id, role_key)
    select distinct on (user_id, organization_id) organization_id, user_id, 'developer'
    from (select id as user_id, (random() * ${ORGANIZATIONS - 1})::int + 1 as n from public.users, generate_series(1, 2)) as picked
    join (select id as organization_id, row_number() over () as n from public.organizations) as numbered using (n)`;
  for (const caller of CALLERS) {
    await sql`insert into auth.users (id, email) values (${userId(caller)}, ${`${caller}@example.com`})`;
    await sql`
      insert into public.memberships (organization_id, user_id, role_key)
      select id, ${userId(caller)}, 'viewer' from public.organizations order by id limit ${caller}`;
  }
  await sql.unsafe(RIVALS);
  report.step("vacuum analyze");
  await sql`vacuum (analyze)`;
  await sql.end();
}

// The token's claims under a stamp; then what is usually written: a subquery on memberships, and a helper that
// is given the row's tenant.
const RIVALS = `
  create role bench_claims;
  create role bench_naive;
  create role bench_per_row;
  grant usage on schema public, auth, private to bench_claims, bench_naive, bench_per_row;
  grant select on public.applications, public.memberships to bench_claims, bench_naive, bench_per_row;

  create table private.bench_stamps as select id as user_id, id as stamp from public.users;
  create unique index on private.bench_stamps (user_id);
  create function private.bench_claims(p_permission text) returns uuid[]
  language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan
  as $$
  declare
    claims constant jsonb := nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    result uuid[];
  begin
    select array(
      select org.id::uuid
      from jsonb_each_text(claims #> '{app_metadata,orgs}') as org (id, role_key)
      where exists (
        select from public.role_permissions as granted
        where granted.permission = p_permission
          and granted.scope_id = case when starts_with(org.role_key, 'custom:') then org.id
            else '00000000-0000-0000-0000-000000000000' end::uuid
          and granted.role_key = org.role_key
      )
    )
    into result
    from private.bench_stamps
    where user_id = (claims ->> 'sub')::uuid and stamp::text = claims ->> 'sub';
    return result;
  end
  $$;
  grant execute on function private.bench_claims to bench_claims;
  create policy bench_claims on public.applications for select to bench_claims
    using (organization_id = any ((select private.bench_claims('applications.read'))::uuid[]));

  create policy bench_naive on public.applications for select to bench_naive
    using (organization_id in (select organization_id from public.memberships where user_id = auth.uid()));
  create policy bench_naive on public.memberships for select to bench_naive
    using (user_id = auth.uid());

  create function private.bench_is_member(p_organization_id uuid) returns boolean
  language sql stable security definer set search_path = ''
  as $$
    select exists (
      select from public.memberships
      where organization_id = p_organization_id and user_id = auth.uid()
    )
  $$;
  grant execute on function private.bench_is_member to bench_per_row;
  create policy bench_per_row on public.applications for select to bench_per_row
    using (private.bench_is_member(organization_id));
`;

interface Query {
  rounds: number;
  /** Ways that read far more than the answer holds: measured once. */
  slow: Way[];
  text(byHand: boolean): string;
  parameters(): string[];
}

function queries(organizations: string[], points: Point[]): Record<string, Query> {
  let turn = 0;
  const next = <T>(items: T[]): T => items[turn++ % items.length] as T;
  const all = `organization_id = any ('{${organizations.join(",")}}'::uuid[])`;
  const columns = "select id, name, slug from public.applications";
  return {
    "page, one organization": {
      rounds: 1500,
      slow: [],
      text: () => `${columns} where organization_id = $1 order by slug limit ${PAGE}`,
      parameters: () => [next(organizations)],
    },
    "page, all": {
      rounds: 1500,
      slow: ["per_row", "naive"],
      text: (byHand) =>
        `${columns} ${byHand ? `where ${all}` : ""} order by organization_id, slug limit ${PAGE}`,
      parameters: () => [],
    },
    count: {
      rounds: organizations.length > 100 ? 60 : 600,
      slow: ["per_row", "naive"],
      text: (byHand) => `select count(*) from public.applications ${byHand ? `where ${all}` : ""}`,
      parameters: () => [],
    },
    point: {
      rounds: 3000,
      slow: [],
      text: (byHand) => `${columns} where id = $1 ${byHand ? "and organization_id = $2" : "and $2 <> ''"}`,
      parameters: () => {
        const point = next(points);
        return [point.id, point.organization_id];
      },
    },
  };
}

interface Point {
  id: string;
  organization_id: string;
}

const ratios: Record<string, Partial<Record<Caller, number>>> = {};

async function measure(url: string, caller: Caller, report: Report): Promise<void> {
  const admin = postgres(url, { max: 1 });
  const memberships = await admin<{ organization_id: string }[]>`
    select organization_id from public.memberships where user_id = ${userId(caller)} order by 1`;
  const organizations = memberships.map((row) => row.organization_id);
  const points = await admin<Point[]>`
    select id, organization_id from public.applications
    where organization_id = ${organizations[0] ?? ""} limit 100`;
  const [issued] = await admin<{ claims: unknown }[]>`
    select private.custom_access_token_hook(jsonb_build_object('user_id', ${userId(caller)}::text, 'claims',
      jsonb_build_object('sub', ${userId(caller)}::text, 'role', 'authenticated'))) -> 'claims' as claims`;
  await admin.end();

  // A token of 500 organizations is refused by proxies: that caller has none to believe.
  const ways = (Object.keys(WAYS) as Way[]).filter((way) => way !== "claims" || caller <= 50);
  const claims = JSON.stringify(issued?.claims);

  // One session for all ways: a server process of its own for each would be measured along with it.
  const sql = postgres(url, { max: 1, onnotice() {} });
  let session: Way | undefined;
  for (const framing of ["request", "bare"] as const) {
    for (const [name, query] of Object.entries(queries(organizations, points))) {
      if (framing === "bare" && name === "count") continue;
      report.step(`caller in ${caller}: ${name} (${framing})`);
      // Plans are kept per text, and hold for one role.
      const read = (session: ISql, way: Way) =>
        session.unsafe(`/* ${way} */ ${query.text(way === "floor")}`, query.parameters(), { prepare: true });
      const call = {
        request: (way: Way) =>
          sql.begin(async (transaction) => {
            await assume(transaction, WAYS[way], claims, true);
            return read(transaction, way);
          }),
        bare: async (way: Way) => {
          if (session !== way) await assume(sql, WAYS[way], claims, false);
          session = way;
          return read(sql, way);
        },
      }[framing];
      const variants = (chosen: Way[]) => Object.fromEntries(chosen.map((way) => [way, () => call(way)]));
      const slow = ways.filter((way) => query.slow.includes(way));
      const times = {
        ...(await sideBySide(variants(ways.filter((way) => !slow.includes(way))), query.rounds)),
        ...(framing === "request" ? await sideBySide(variants(slow), 1) : {}),
      } as Record<Way, number>;
      record(name, framing, caller, times, report);
    }
  }
  await sql.end();
}

/** What PostgREST does before its query: role and claims, for the transaction or the session. */
async function assume(sql: ISql, role: string, claims: string, local: boolean): Promise<void> {
  await sql`select set_config('role', ${role}, ${local}), set_config('request.jwt.claims', ${claims}, ${local})`;
}

function record(
  query: string,
  framing: "request" | "bare",
  caller: Caller,
  times: Record<Way, number>,
  report: Report,
): void {
  const { floor, ...rest } = times;
  const against = Object.entries(rest).map(([way, time]) => [way, time / floor] as const);
  report.row({
    caller,
    query,
    framing,
    "floor ms": floor.toFixed(3),
    ...Object.fromEntries(against.map(([way, ratio]) => [way, `${ratio.toFixed(2)}×`])),
  });
  for (const [way, ratio] of against) {
    const suffix = framing === "bare" ? "_bare" : "";
    const figure = `${way}_${query.replace(/,.*/, "")}_vs_floor${suffix}`;
    ratios[figure] = { ...ratios[figure], [caller]: Math.max(ratios[figure]?.[caller] ?? 0, ratio) };
  }
}

// The worst of the callers in 1 and 10 organizations; the one in 500 stands apart.
function summarize(report: Report): void {
  for (const [name, worst] of Object.entries(ratios)) {
    report.ratio(name, Math.max(worst[1] ?? 0, worst[10] ?? 0));
    if (worst[500] !== undefined) report.ratio(`${name}_500`, worst[500]);
  }
}
