import assert from "node:assert/strict";
import { type ActivityEvent, type ActivityRecord, createActivityWriter } from "./activity.ts";
import { createTestLog } from "./testing.ts";

const acme = crypto.randomUUID();
const eventOf = (n: number, more: Partial<ActivityEvent> = {}): ActivityEvent => ({
  organization_id: acme,
  actor: { kind: "user", id: "ada" },
  action: `test.${n}`,
  ...more,
});
let ids = 0;
const newId = () => `${++ids}`;

/** A store that can be away, or slow, and what it was given. */
function createTarget() {
  const batches: [string, ActivityRecord[]][] = [];
  const target = {
    batches,
    away: false,
    attempts: 0,
    hold: undefined as Promise<void> | undefined,
    async write(organizationId: string, records: ActivityRecord[]) {
      target.attempts++;
      await target.hold;
      if (target.away) throw new Error("away");
      batches.push([organizationId, records]);
    },
    actions: () => batches.flatMap(([, records]) => records.map(({ action }) => action)),
  };
  return target;
}

Deno.test("what is recorded is written in batches, in its order, each organization's apart", async () => {
  const target = createTarget();
  const writer = createActivityWriter({ write: target.write, newId, batch: 10, intervalMs: 60_000 });
  for (let n = 0; n < 25; n++) writer.record(eventOf(n));
  writer.record(eventOf(25, { organization_id: crypto.randomUUID().toUpperCase() }));
  await writer.close();
  assert.deepEqual(target.actions().sort(), Array.from({ length: 26 }, (_, n) => `test.${n}`).sort());
  assert.deepEqual(target.batches.map(([, records]) => records.length), [10, 10, 5, 1]);
  assert.match(target.batches.at(-1)?.[0] ?? "", /^[\da-f-]{36}$/);
  assert.deepEqual(writer.figures(), { waiting: 0, written: 26, dropped: 0 });
});

Deno.test("a few are written when their time has come", async () => {
  const target = createTarget();
  const writer = createActivityWriter({ write: target.write, newId, intervalMs: 5 });
  writer.record(eventOf(1));
  assert.equal(target.attempts, 0, "not at once");
  while (target.batches.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await writer.close();
});

Deno.test("while the store is away events wait, then are dropped and counted; nobody notices", async () => {
  const target = createTarget();
  const { log, lines } = createTestLog();
  const writer = createActivityWriter({
    write: target.write,
    newId,
    log,
    capacity: 500,
    batch: 100,
    intervalMs: 60_000,
  });
  target.away = true;
  for (let n = 0; n < 100_000; n++) {
    writer.record(eventOf(n));
    if (n % 1000 === 0) await writer.flush();
  }
  const { waiting, dropped, written } = writer.figures();
  assert.deepEqual([waiting, dropped, written], [500, 99_500, 0]);
  target.away = false;
  await writer.close();
  assert.deepEqual(writer.figures(), { waiting: 0, written: 500, dropped: 99_500 });
  assert.deepEqual(target.actions(), Array.from({ length: 500 }, (_, n) => `test.${n}`));
  const told = lines.filter(({ event }) => event === "activity_dropped");
  assert.equal(told.reduce((sum, { count }) => sum + Number(count), 0), 99_500, "all of them are told");
  assert.equal(lines.filter(({ event }) => event === "activity_waits").length, 1);
});

Deno.test("a store that hangs holds nobody up, and what is being written counts as waiting", async () => {
  const target = createTarget();
  const { log } = createTestLog();
  const hold = Promise.withResolvers<void>();
  target.hold = hold.promise;
  const writer = createActivityWriter({ write: target.write, newId, log, capacity: 30, batch: 10 });
  for (let n = 0; n < 100; n++) assert.equal(writer.record(eventOf(n)), undefined);
  assert.deepEqual(writer.figures(), { waiting: 30, written: 0, dropped: 70 });
  hold.resolve();
  await writer.close();
  assert.equal(writer.figures().written, 30);
});

Deno.test("one organization that cannot be written does not keep the others waiting", async () => {
  const target = createTarget();
  const other = crypto.randomUUID();
  const write: typeof target.write = (organizationId, records) =>
    organizationId === acme
      ? Promise.reject(new Error("not this one"))
      : target.write(organizationId, records);
  const { log } = createTestLog();
  const writer = createActivityWriter({ write, newId, log, intervalMs: 60_000 });
  writer.record(eventOf(1));
  writer.record(eventOf(2, { organization_id: other }));
  await writer.flush();
  assert.deepEqual([writer.figures().waiting, target.actions()], [1, ["test.2"]]);
  await writer.close();
  assert.deepEqual(writer.figures(), { waiting: 0, written: 1, dropped: 1 });
});

Deno.test("what is too large to keep is dropped and counted; nothing is thrown", async () => {
  const target = createTarget();
  const { log } = createTestLog();
  const writer = createActivityWriter({ write: target.write, newId, log });
  writer.record(eventOf(1, { details: { text: "x".repeat(2000) } }));
  writer.record(eventOf(1, { action: "x".repeat(101) }));
  writer.record(eventOf(1, { organization_id: "acme" }));
  writer.record(eventOf(1, { object: { kind: "x", id: "y".repeat(201) } }));
  writer.record(eventOf(2, { details: { rows: 3 } }));
  await writer.close();
  writer.record(eventOf(3));
  assert.deepEqual(writer.figures(), { waiting: 0, written: 1, dropped: 5 });
  assert.equal(target.batches[0]?.[1][0]?.details, '{"rows":3}');
});

Deno.test("a hosted worker is kept alive until what waits is written", async () => {
  const target = createTarget();
  const kept: Promise<unknown>[] = [];
  const host = globalThis as { EdgeRuntime?: unknown };
  host.EdgeRuntime = { waitUntil: (work: Promise<unknown>) => void kept.push(work) };
  try {
    const writer = createActivityWriter({ write: target.write, newId, intervalMs: 1 });
    writer.record(eventOf(1));
    assert.equal(kept.length, 1);
    await kept[0];
    assert.deepEqual(target.actions(), ["test.1"]);
    await writer.close();
  } finally {
    delete host.EdgeRuntime;
  }
});
