import type { ISql } from "postgres";

/** An event as a server sends it. */
export interface SentEvent {
  idempotency_key: string;
  metric: string;
  quantity: number;
  /** ISO 8601; the time of receipt when it is left out. */
  occurred_at?: string;
}

/** What became of a batch. */
export interface Ingested {
  accepted: number;
  duplicates: number;
  rejected: { index: number; reason: string }[];
}

export async function ingest(sql: ISql, organization: string, events: unknown): Promise<Ingested> {
  const [answer] = await sql<Ingested[]>`
    select * from public.ingest_usage(${organization}, ${JSON.stringify(events)}::text::jsonb)`;
  return answer as Ingested;
}

/** Rows that are in a rollup and not in a recount of the events, or the other way round: none, once the tail is empty. */
export const differencesToRecount = (sql: ISql, organization: string) => sql`
  with rollups as (
    select 'hour', metric, hour as at, quantity, events from public.usage_hours where organization_id = ${organization}
    union all
    select 'day', metric, day::timestamp at time zone 'UTC', quantity, events
    from public.usage_days where organization_id = ${organization}
  ), recount as (
    select unit, metric, date_trunc(unit, occurred_at, 'UTC'), sum(quantity), count(*)
    from public.usage_events, unnest(array['hour', 'day']) as unit
    where organization_id = ${organization}
    group by 1, 2, 3
  )
  (table rollups except all table recount) union all (table recount except all table rollups)`;

/** Moves the tail of one organization into the rollups, also when another run is under way. */
export async function rollUpAll(sql: ISql, organization: string): Promise<void> {
  for (;;) {
    // Waits for that run; released with the statement's transaction.
    await sql`
      with turn as materialized (select pg_advisory_xact_lock(hashtextextended('nectar.roll_up_usage', 0)))
      select private.roll_up_usage() from turn`;
    const [left] = await sql`select from private.usage_tail where organization_id = ${organization} limit 1`;
    if (!left) return;
  }
}
