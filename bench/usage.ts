import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgres, { type Sql } from "postgres";
import { withThrowawayDatabase } from "../src/stack/postgres/throwaway.ts";
import type { Benchmark, Report } from "./bench.ts";
import { median } from "./side-by-side.ts";

const BATCH = 10_000;
const ROUNDS = 25;
/** Events of history that one step of the rollups is measured upon, and ten times as many. */
const HISTORY = 100_000;
/** New events of each step. */
const STEP = 2_000;
const STEPS = 40;

const benchmark: Benchmark = {
  about:
    `usage ingested in batches of ${BATCH} events, each counted once, against COPY of the same rows into a bare ` +
    "table; and one step of the rollups on ten times the history",

  async run(report) {
    await withThrowawayDatabase(async (server) => {
      const sql = postgres(server.url("postgres"), { max: 1, onnotice() {} });
      const organization = randomUUID();
      const application = randomUUID();
      await sql`
        insert into public.organizations (id, name, slug) values (${organization}, 'Bench', 'bench-usage')`;
      await sql`
        insert into public.applications (id, organization_id, name, slug)
        values (${application}, ${organization}, 'Bench', 'bench')`;

      report.step(`${ROUNDS} × ${BATCH} events, ingested and copied`);
      await sql`create table bare (like public.usage_events)`;
      // The least that counts once and finds an organization's events again: the same COPY, with the two indexes for that.
      await sql`create table floor (like public.usage_events)`;
      await sql`create unique index on floor (organization_id, idempotency_key collate "C")`;
      await sql`create index on floor (organization_id, occurred_at)`;
      const variants = {
        copied: (events: Event[]) => copy(sql, "bare", organization, events),
        floor: (events: Event[]) => copy(sql, "floor", organization, events),
        ingested: async (events: Event[]) => {
          const [answer] = await sql`
            select accepted from public.ingest_usage(${organization}, ${JSON.stringify(events)}::text::jsonb)`;
          if (answer?.["accepted"] !== BATCH) throw new Error("Not all were accepted.");
        },
      };
      const samples = { copied: [] as number[], floor: [] as number[], ingested: [] as number[] };
      for (let round = -3; round < ROUNDS; round++) {
        for (const name of ["copied", "floor", "ingested"] as const) {
          // Events are at hand before the clock starts; to write them as either side wants them is part of its work.
          const events = batchOf(application);
          const start = performance.now();
          await variants[name](events);
          if (round >= 0) samples[name].push(performance.now() - start);
        }
      }
      const times = {
        copied: median(samples.copied),
        floor: median(samples.floor),
        ingested: median(samples.ingested),
      };
      for (const [name, milliseconds] of Object.entries(times)) {
        report.row({
          what: name,
          "ms per batch": milliseconds.toFixed(1),
          "rows/s": Math.round((BATCH / milliseconds) * 1000),
        });
      }
      report.ratio("ingest_vs_copy", times.copied / times.ingested);
      report.ratio("ingest_vs_floor", times.floor / times.ingested);
      report.ratio("floor_vs_copy", times.copied / times.floor);

      await sql.end();
    });
    await measureRollups(report);
  },
};
export default benchmark;

/** Two databases that differ in their history alone, in turns: whatever else the machine does, it does to both. */
async function measureRollups(report: Report) {
  await withThrowawayDatabase((short) =>
    withThrowawayDatabase(async (long) => {
      const turns = [
        { server: short, history: HISTORY, samples: [] as number[] },
        { server: long, history: 10 * HISTORY, samples: [] as number[] },
      ].map(({ server, ...turn }) => ({
        ...turn,
        sql: postgres(server.url("postgres"), { max: 1, onnotice() {} }),
        organization: randomUUID(),
      }));
      for (const { sql, history, organization } of turns) {
        report.step(`${history} events of history`);
        await remember(sql, organization, history);
      }
      report.step(`${STEPS} steps of ${STEP} events on each`);
      for (let step = -5; step < STEPS; step++) {
        for (const { sql, samples, organization } of turns) {
          await write(sql, organization, STEP, "2 hours");
          const start = performance.now();
          await sql`select private.roll_up_usage()`;
          if (step >= 0) samples.push(performance.now() - start);
        }
      }
      for (const { history, samples } of turns) {
        const milliseconds = median(samples);
        report.row({
          what: `rolled up, on ${history} events`,
          "ms per batch": milliseconds.toFixed(1),
          "rows/s": Math.round((STEP / milliseconds) * 1000),
        });
      }
      const [before = Number.NaN, after = Number.NaN] = turns.map(({ samples }) => median(samples));
      report.ratio("rollup_growth_10x", after / before);
      await Promise.all(turns.map(({ sql }) => sql.end()));
    }),
  );
}

type Event = ReturnType<typeof batchOf>[number];

function batchOf(application: string) {
  const now = Date.now();
  return Array.from({ length: BATCH }, (_, n) => ({
    idempotency_key: randomUUID(),
    metric: n % 2 === 0 ? "rows_read" : "rows_written",
    quantity: 1 + (n % 100),
    occurred_at: new Date(now - n * 30).toISOString(),
    application_id: application,
    dimensions: { region: "eu" },
  }));
}

async function copy(sql: Sql, table: string, organization: string, events: Event[]) {
  const receivedAt = new Date().toISOString();
  const lines = events.map(
    (event) =>
      `${organization}\t${event.application_id}\t\\N\t${event.metric}\t${event.quantity}\t${event.occurred_at}\t` +
      `${receivedAt}\t${event.idempotency_key}\t${JSON.stringify(event.dimensions)}\n`,
  );
  await pipeline(Readable.from([lines.join("")]), await sql`copy ${sql(table)} from stdin`.writable());
}

/** Events of the last thirty days, by fifty keys, rolled up. */
async function remember(sql: Sql, organization: string, count: number) {
  await write(sql, organization, count, "30 days");
  await sql`select private.roll_up_usage()`;
  await sql`vacuum analyze public.usage_events, public.usage_hours, public.usage_days, private.usage_tail`;
}

/** As ingest_usage writes them, without the keys: they are not what grows here. */
const write = (sql: Sql, organization: string, count: number, span: string) => sql`
  with written as (
    insert into public.usage_events
      (organization_id, application_id, api_key_id, metric, quantity, occurred_at, idempotency_key)
    select ${organization}, md5('application ' || n % 5)::uuid, md5('key ' || n % 50)::uuid, 'rows_read', 1 + n % 100,
      now() - ${span}::interval * random(), n::text
    from generate_series(1, ${count}::int) as n
    returning *
  )
  insert into private.usage_tail (organization_id, metric, hour, application_id, api_key_id, quantity, events)
  select organization_id, metric, date_trunc('hour', occurred_at), application_id, api_key_id, sum(quantity), count(*)
  from written group by 1, 2, 3, 4, 5`;
