import { createHash } from "node:crypto";
import type { Sql } from "postgres";
import type { Crowd } from "./crowd.ts";

export interface TestKey {
  id: string;
  secret: string;
  hash: Buffer;
}

export interface Decision {
  code: string;
  remaining: string | null;
  retry_after: number | null;
}

export const METRIC = "api_requests";
export const SCOPE = "applications.read";

/** What finds a key: the SHA-256 of its secret. */
export const hashOf = (secret: string): Buffer => createHash("sha256").update(secret).digest();

/** An application in the crowd's organization, for keys to belong to. */
export async function addApplication(sql: Sql, crowd: Crowd): Promise<string> {
  const [added] = await sql<{ id: string }[]>`
    insert into public.applications (organization_id, name, slug) values (${crowd.organization}, 'App', 'app') returning id`;
  return added?.id ?? "";
}

/** A key as its owner makes it. */
export async function createKey(crowd: Crowd, userId: string, application: string): Promise<TestKey> {
  return crowd.as(userId, async (request) => {
    const [made] = await request<{ api_key_id: string; secret: string }[]>`
      select * from public.create_api_key(${application}, 'Key', ${[SCOPE]})`;
    const secret = made?.secret ?? "";
    return { id: made?.api_key_id ?? "", secret, hash: hashOf(secret) };
  });
}

/** Asks whether the key may do this now. */
export async function decide(sql: Sql, hash: Buffer, context: object = {}, cost = 1): Promise<Decision> {
  const [decision] = await sql<Decision[]>`
    select code, remaining, retry_after
    from private.authorize_request(${hash}, ${SCOPE}, ${METRIC}, ${cost}, ${sql.json(context as never)})`;
  return decision as Decision;
}

export interface Limits {
  perMonth: number | null;
  perSecond: number | null;
  keyPerSecond: number | null;
}

/** Gives an organization limits of its own. */
export async function limitTo(sql: Sql, organization: string, limits: Partial<Limits>): Promise<void> {
  const { perMonth = null, perSecond = null, keyPerSecond = null } = limits;
  await sql.begin(async (transaction) => {
    await transaction`select private.refresh_limits(${organization}, ${METRIC})`;
    await transaction`
      update private.usage_counters
      set quota = ${perMonth}::bigint, ceiling = coalesce(${perMonth}::bigint, 9223372036854775807),
        burst = private.fitting(private.rate_burst(), private.pace(${perSecond})),
        per_request = private.pace(${perSecond}),
        key_burst = private.fitting(private.rate_burst(), private.pace(${keyPerSecond})),
        key_per_request = private.pace(${keyPerSecond}),
        slack = private.rate_burst() - private.pace(${perSecond}),
        key_slack = private.rate_burst() - private.pace(${keyPerSecond}),
        pace = 1 / nullif(date_part('epoch', private.pace(${perSecond})), 0),
        key_pace = 1 / nullif(date_part('epoch', private.pace(${keyPerSecond})), 0)
      where organization_id = ${organization} and metric = ${METRIC}`;
  });
}

/** What the counter says was used, what is written down, and what is out on lease. */
export async function account(sql: Sql, organization: string) {
  const [sums] = await sql<{ used: number; logged: number; leased: number }[]>`
    select private.metric_used(${organization}, ${METRIC})::integer as used,
      (select coalesce(sum(quantity), 0)::integer from private.request_log where organization_id = ${organization}) as logged,
      (select coalesce(sum(granted), 0)::integer from private.usage_leases where organization_id = ${organization}) as leased`;
  return sums as { used: number; logged: number; leased: number };
}
