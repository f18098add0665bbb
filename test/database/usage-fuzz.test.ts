import fc from "fast-check";
import postgres from "postgres";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type Crowd, gather } from "../support/crowd.ts";
import { ingest } from "../support/usage.ts";

const sql = postgres(inject("project").databaseUrl, { max: 4, onnotice() {} });
let crowd: Crowd;
beforeAll(async () => {
  crowd = await gather(sql);
});
afterAll(async () => {
  await crowd.disband();
  await sql.end();
});

const reasons = [
  "not_an_object",
  "invalid_idempotency_key",
  "invalid_metric",
  "invalid_quantity",
  "invalid_occurred_at",
  "too_old",
  "in_the_future",
  "unknown_application",
  "unknown_api_key",
  "invalid_dimensions",
];

const anything = fc.jsonValue({ maxDepth: 3 });
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.constantFrom(
    "",
    "infinity",
    "-infinity",
    "now",
    "epoch",
    "NaN",
    "1e400",
    "'; drop table usage_events; --",
    "\ud800",
  ),
);
const odd = fc.oneof(anything, text, fc.double(), fc.bigInt().map(Number));
/** An event in which some of the values are what nobody should send. */
const nearlyAnEvent = fc.record(
  {
    idempotency_key: fc.oneof(fc.uuid(), odd),
    metric: fc.oneof(fc.constant("rows_read"), odd),
    quantity: fc.oneof(fc.integer({ min: 1 }), odd),
    occurred_at: fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      odd,
    ),
    application_id: fc.oneof(fc.uuid(), odd),
    api_key_id: fc.oneof(fc.uuid(), odd),
    dimensions: fc.oneof(fc.dictionary(text, odd), odd),
  },
  { requiredKeys: [] },
);

test("10,000 malformed batches: each event is counted or refused by name, each call answered or a client's error", async () => {
  const batch = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.array(fc.oneof({ weight: 4, arbitrary: nearlyAnEvent }, odd), { maxLength: 6 }),
    },
    { weight: 1, arbitrary: anything },
  );
  const batches = fc.sample(batch, { numRuns: 10_000, seed: Number(process.env["USAGE_SEED"] ?? 7) });
  const outcomes = { answered: 0, refused: 0, counted: 0 };
  const workers = Array.from({ length: 4 }, async (_, worker) => {
    for (let n = worker; n < batches.length; n += 4) {
      const events = batches[n];
      try {
        const answer = await ingest(sql, crowd.organization, events);
        outcomes.answered++;
        outcomes.counted += answer.accepted;
        expect(Array.isArray(events)).toBe(true);
        expect(answer.accepted + answer.duplicates + answer.rejected.length).toBe(
          (events as unknown[]).length,
        );
        for (const { reason } of answer.rejected) expect(reasons).toContain(reason);
      } catch (error) {
        const { code, hint } = error as { code?: string; hint?: string };
        if (code === undefined) throw error;
        outcomes.refused++;
        // Not an array; or text that no PostgreSQL can hold: \u0000, a lone surrogate, a number without end.
        expect(code === "22023" ? hint : code).toMatch(/^(invalid_events|22P02|22P05|22003|22023)$/);
      }
    }
  });
  await Promise.all(workers);
  expect(outcomes.answered + outcomes.refused).toBe(10_000);
  expect(outcomes.answered).toBeGreaterThan(5000);
  expect(outcomes.counted).toBeGreaterThan(0);
});
