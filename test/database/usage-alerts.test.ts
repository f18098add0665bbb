import postgres from "postgres";
import { afterAll, beforeEach, expect, inject, test } from "vitest";
import { gather } from "../support/crowd.ts";
import { sameMonth } from "../support/month.ts";
import { ingest, rollUpAll } from "../support/usage.ts";

const sql = postgres(inject("project").databaseUrl, { max: 12, onnotice() {} });
beforeEach(() => sameMonth());
afterAll(() => sql.end());

const HOUR = 3_600_000;

test("ten runs at once: each threshold is told once, to each person who pays", async () => {
  const crowd = await gather(sql);
  try {
    await crowd.people(2, "owner");
    await crowd.people(2, "viewer");
    const [catalogue] = await sql`
      select private.entitlement(${crowd.organization}, 'api_requests.per_month')::int as quota`;
    const use = (quantity: number) =>
      ingest(sql, crowd.organization, [
        { idempotency_key: crypto.randomUUID(), metric: "api_requests", quantity },
      ]);
    const quota = Number(catalogue?.["quota"]);
    for (const share of [0.5, 0.85, 0.86, 1.2]) {
      await use(Math.ceil(quota * share));
      await Promise.all(Array.from({ length: 10 }, () => sql`select private.alert_limits()`));
    }
    const told = await sql`
      select (payload ->> 'threshold')::int as threshold, count(*)::int as messages,
        count(distinct payload ->> 'user_id')::int as people
      from private.outbox
      where kind = 'limits.alert' and organization_id = ${crowd.organization}
      group by 1 order by 1`;
    expect(told).toEqual([
      { threshold: 80, messages: 2, people: 2 },
      { threshold: 100, messages: 2, people: 2 },
    ]);
  } finally {
    await sql`delete from private.outbox where organization_id = ${crowd.organization}`;
    await crowd.disband();
  }
});

test("metered usage is reported once, while it is rolled up and reported by many at once", async () => {
  const crowd = await gather(sql);
  try {
    const hour = Math.floor(Date.now() / HOUR) * HOUR - 3 * HOUR;
    // Billed as a whole, and from its middle on.
    const starts = [hour - HOUR, hour + HOUR / 2];
    for (const [n, at] of starts.entries()) {
      await sql`
        insert into private.metered_spans values
          (${crowd.organization}, ${`m${n}`}, ${`si_${n}`}, 'sub_1', ${new Date(at)})`;
    }
    const add = (n: number) =>
      ingest(
        sql,
        crowd.organization,
        starts.map((_, metric) => ({
          idempotency_key: crypto.randomUUID(),
          metric: `m${metric}`,
          quantity: 1,
          occurred_at: new Date(hour + (n % 2 ? HOUR / 4 : HOUR / 2)).toISOString(),
        })),
      );
    const report = () => sql`select private.report_meters()`;
    const rollUp = () => sql`select private.roll_up_usage()`;
    await Promise.all(
      Array.from({ length: 80 }, (_, n) => [add, add, rollUp, report][n % 4]?.(Math.floor(n / 4))),
    );
    await rollUpAll(sql, crowd.organization);
    await report();
    const [reported] = await sql`
      select sum((payload ->> 'quantity')::int) filter (where payload ->> 'metric' = 'm0')::int as whole,
        sum((payload ->> 'quantity')::int) filter (where payload ->> 'metric' = 'm1')::int as half,
        count(*) = count(distinct payload ->> 'identifier') as each_its_own
      from private.outbox where kind = 'stripe.meter' and organization_id = ${crowd.organization}`;
    expect(reported).toEqual({ whole: 40, half: 20, each_its_own: true });
  } finally {
    await sql`delete from private.outbox where organization_id = ${crowd.organization}`;
    await crowd.disband();
  }
});
