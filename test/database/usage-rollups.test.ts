import fc from "fast-check";
import postgres from "postgres";
import { afterAll, beforeEach, expect, inject, test } from "vitest";
import { type Crowd, gather } from "../support/crowd.ts";
import { sameMonth } from "../support/month.ts";
import { differencesToRecount, ingest, rollUpAll, type SentEvent } from "../support/usage.ts";

const sql = postgres(inject("project").databaseUrl, { max: 12, onnotice() {} });
beforeEach(() => sameMonth());
afterAll(() => sql.end());

async function withCrowd<T>(work: (crowd: Crowd) => Promise<T>): Promise<T> {
  const crowd = await gather(sql);
  try {
    return await work(crowd);
  } finally {
    await crowd.disband();
  }
}

const HOUR = 3_600_000;
/** Few keys and few hours, so that batches meet; some too old, some ahead of their time. */
const event = fc.record({
  key: fc.integer({ min: 0, max: 60 }),
  metric: fc.constantFrom("rows_read", "rows_written"),
  quantity: fc.integer({ min: 1, max: 1000 }),
  hoursAgo: fc.constantFrom(-2, 0, 0, 0, 1, 2, 30, 24 * 20, 24 * 34, 24 * 36),
});
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ batch: fc.array(event, { minLength: 1, maxLength: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ abandoned: fc.array(event, { minLength: 1, maxLength: 40 }) }) },
  { weight: 2, arbitrary: fc.constant("roll up" as const) },
  { weight: 2, arbitrary: fc.constant("look" as const) },
);

test("whatever is sent at once, twice, late or in vain: the rollups are a recount, and the events a model", async () => {
  const runs = Number(process.env["USAGE_RUNS"] ?? 100);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 24 }), (steps) =>
      withCrowd(async ({ organization }) => {
        const now = Date.now();
        const sent = (events: { key: number; metric: string; quantity: number; hoursAgo: number }[]) =>
          events.map(
            ({ key, metric, quantity, hoursAgo }): SentEvent => ({
              idempotency_key: `key-${key}`,
              metric,
              quantity,
              occurred_at: new Date(now - hoursAgo * HOUR).toISOString(),
            }),
          );
        const isTaken = ({ hoursAgo }: { hoursAgo: number }) => hoursAgo > -1 && hoursAgo < 24 * 35;
        const answers = await Promise.all(
          steps.map(async (what) => {
            if (what === "roll up") return void (await sql`select private.roll_up_usage()`);
            if (what === "look") return void (await expectExactSummary(organization));
            if ("batch" in what) {
              const answer = await ingest(sql, organization, sent(what.batch));
              expect(answer.accepted + answer.duplicates + answer.rejected.length).toBe(what.batch.length);
              expect(answer.rejected.map(({ index }) => index)).toEqual(
                what.batch.flatMap((candidate, index) => (isTaken(candidate) ? [] : [index])),
              );
              return answer.accepted;
            }
            const abandoned = sql.begin(async (transaction) => {
              await ingest(transaction, organization, sent(what.abandoned));
              throw new Error("abandoned");
            });
            await expect(abandoned).rejects.toThrow("abandoned");
          }),
        );

        // The model: each key that was sent in an event that is taken counts once, as one of those who sent it.
        const committed = steps.flatMap((what) =>
          typeof what === "object" && "batch" in what ? what.batch : [],
        );
        const taken = committed.filter(isTaken);
        const events = await sql<{ idempotency_key: string; metric: string; quantity: number }[]>`
          select idempotency_key, metric, quantity::int from public.usage_events where organization_id = ${organization}`;
        expect(events.map((row) => row.idempotency_key).toSorted()).toEqual(
          [...new Set(taken.map(({ key }) => `key-${key}`))].toSorted(),
        );
        for (const row of events) {
          expect(taken).toContainEqual(
            expect.objectContaining({
              key: Number(row.idempotency_key.slice(4)),
              metric: row.metric,
              quantity: row.quantity,
            }),
          );
        }
        expect(events.length).toBe(answers.reduce<number>((sum, accepted) => sum + (accepted ?? 0), 0));

        await expectExactSummary(organization);
        await rollUpAll(sql, organization);
        expect(await differencesToRecount(sql, organization)).toEqual([]);
        await expectExactSummary(organization);
      }),
    ),
    { numRuns: runs, endOnFailure: true },
  );
});

/** In one snapshot, whatever is under way. */
async function expectExactSummary(organization: string) {
  const [figures] = await sql`
    select
      (select coalesce(sum(quantity), 0) from public.usage_events
       where organization_id = ${organization} and metric = 'rows_read') as recounted,
      (select sum(quantity) from public.usage_summary(
        ${organization}, 'rows_read', now() - interval '40 days', now() + interval '1 hour')) as summed`;
  expect(figures?.["summed"]).toBe(figures?.["recounted"]);
}

test("a transaction that commits after later ones were rolled up is not lost", () =>
  withCrowd(async ({ organization }) => {
    const written = Promise.withResolvers<void>();
    const commit = Promise.withResolvers<void>();
    const slow = sql.begin(async (transaction) => {
      await ingest(transaction, organization, [
        { idempotency_key: "slow", metric: "rows_read", quantity: 1 },
      ]);
      written.resolve();
      await commit.promise;
    });
    await written.promise;
    await ingest(sql, organization, [{ idempotency_key: "quick", metric: "rows_read", quantity: 2 }]);
    await rollUpAll(sql, organization);
    await expectExactSummary(organization);
    commit.resolve();
    await slow;
    await expectExactSummary(organization);
    await rollUpAll(sql, organization);
    expect(await differencesToRecount(sql, organization)).toEqual([]);
    const [total] =
      await sql`select sum(quantity)::int from public.usage_days where organization_id = ${organization}`;
    expect(total?.["sum"]).toBe(3);
  }));

test("the same 10,000 events in ten batches at once, each in another order, count once", () =>
  withCrowd(async ({ organization }) => {
    const events = Array.from({ length: 10_000 }, (_, n) => ({
      idempotency_key: `key-${n}`,
      metric: "api_requests",
      quantity: 1,
    }));
    const batches = Array.from({ length: 10 }, (_, turn) => [
      ...events.slice(turn * 997).reverse(),
      ...events.slice(0, turn * 997),
    ]);
    const answers = await Promise.all(batches.map((batch) => ingest(sql, organization, batch)));
    expect(answers.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(10_000);
    expect(answers.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(90_000);
    const [figures] = await sql`
      select (select count(*)::int from public.usage_events where organization_id = ${organization}) as events,
        private.metric_used(${organization}, 'api_requests')::int as used`;
    expect(figures).toEqual({ events: 10_000, used: 10_000 });
  }));

test("a batch that meets a key on its way counts the rest; with a snapshot too old to see that key, it counts nothing", () =>
  withCrowd(async ({ organization }) => {
    const events = ["alone", "met", "new"].map((idempotency_key) => ({
      idempotency_key,
      metric: "api_requests",
      quantity: 1,
    }));
    const meets = async (
      isolation: "read committed" | "repeatable read",
      met: SentEvent[],
      batch: SentEvent[],
    ) => {
      const claimed = Promise.withResolvers<void>();
      const seen = Promise.withResolvers<number>();
      const first = sql.begin(async (transaction) => {
        await ingest(transaction, organization, met);
        claimed.resolve();
        await othersWaitFor(await seen.promise);
      });
      const second = sql.begin(`isolation level ${isolation}`, async (transaction) => {
        const [backend] = await transaction`select pg_backend_pid() as pid`;
        await claimed.promise;
        seen.resolve(backend?.["pid"]);
        return await ingest(transaction, organization, batch);
      });
      const [answer] = await Promise.allSettled([second, first.catch(seen.reject)]);
      return answer;
    };
    /** Until that connection waits for a lock: for ours, since nobody else holds one that it wants. */
    const othersWaitFor = async (pid: number) => {
      for (;;) {
        const [row] = await sql`select cardinality(pg_blocking_pids(${pid})) > 0 as waits`;
        if (row?.["waits"]) return;
      }
    };

    const met = await meets("read committed", events.slice(1, 2), events);
    expect(met).toMatchObject({ value: { accepted: 2, duplicates: 1, rejected: [] } });

    const others = events.map((event) => ({ ...event, idempotency_key: `other ${event.idempotency_key}` }));
    const refused = await meets("repeatable read", others.slice(1, 2), others);
    expect(refused).toMatchObject({ status: "rejected", reason: { code: "40001" } });

    const [figures] = await sql`
      select (select count(*)::int from public.usage_events where organization_id = ${organization}) as events,
        (select count(*)::int from private.usage_keys where organization_id = ${organization}) as keys,
        private.metric_used(${organization}, 'api_requests')::int as used`;
    expect(figures).toEqual({ events: 4, keys: 4, used: 4 });
  }));

test("batches of different keys do not wait for each other until they count", () =>
  withCrowd(async ({ organization }) => {
    const other = await gather(sql);
    try {
      const opened = Promise.withResolvers<void>();
      const end = Promise.withResolvers<void>();
      const holder = sql.begin(async (transaction) => {
        await ingest(transaction, organization, [
          { idempotency_key: "one", metric: "api_requests", quantity: 1 },
        ]);
        opened.resolve();
        await end.promise;
      });
      await opened.promise;
      const impatient = (who: string, metric: string, key: string) =>
        sql.begin(async (transaction) => {
          await transaction`select set_config('lock_timeout', '200ms', true)`;
          return await ingest(transaction, who, [{ idempotency_key: key, metric, quantity: 1 }]);
        });
      await expect(impatient(other.organization, "api_requests", "one")).resolves.toMatchObject({
        accepted: 1,
      });
      await expect(impatient(organization, "rows_read", "two")).resolves.toMatchObject({ accepted: 1 });
      await expect(impatient(organization, "rows_read", "one")).rejects.toMatchObject({ code: "55P03" });
      end.resolve();
      await holder;
    } finally {
      await other.disband();
    }
  }));

test("requests leave the log and become events in one step, whoever drains", () =>
  withCrowd(async ({ organization }) => {
    await sql`
      insert into private.request_log
        (organization_id, request_id, occurred_at, quantity, application_id, key_id, environment, metric)
      select ${organization}, n::text, clock_timestamp() - interval '1 hour', n, gen_random_uuid(), gen_random_uuid(),
        'live', 'rows_read'
      from generate_series(1, 2000) as n`;
    const looks = Array.from({ length: 6 }, async () => {
      const [figures] = await sql`
        select sum(quantity)::int as summed from public.usage_summary(
          ${organization}, 'rows_read', now() - interval '2 days', now() + interval '1 hour')`;
      return figures?.["summed"];
    });
    const drains = Array.from({ length: 4 }, () => sql`select private.drain_request_log()`);
    const rolls = Array.from({ length: 2 }, () => sql`select private.roll_up_usage()`);
    const [seen] = await Promise.all([Promise.all(looks), Promise.all(drains), Promise.all(rolls)]);
    expect(new Set(seen)).toEqual(new Set([2_001_000]));
    await rollUpAll(sql, organization);
    // One row for each key, which the recount does not tell apart: the sums must agree all the same.
    const [figures] = await sql`
      select (select sum(quantity)::int from public.usage_days where organization_id = ${organization}) as days,
        (select count(*)::int from public.usage_events where organization_id = ${organization}) as events,
        (select count(*)::int from private.request_log where organization_id = ${organization}) as logged`;
    expect(figures).toEqual({ days: 2_001_000, events: 2000, logged: 0 });
  }));
