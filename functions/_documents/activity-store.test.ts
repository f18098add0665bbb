import assert from "node:assert/strict";
import { createMongo } from "../_shared/mongo.ts";
import { closedPort, createTestLog } from "../_shared/testing.ts";
import { createRecorder } from "./activity-recorder.ts";
import { createActivityStore, timeOf } from "./activity-store.ts";
import { createDocuments } from "./documents.ts";
import { newId } from "./id.ts";
import { test, withStore } from "./testing.ts";

const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const DAY = 86_400_000;
const recordOf = (n: number, more: object = {}, at?: number) => ({
  id: newId(at),
  actor: { kind: "user" as const, id: `user-${n % 2}` },
  action: `test.${n}`,
  object: { kind: "test", id: `object-${n % 3}` },
  ...more,
});

test("entries by actor, object and time, page by page, the newest first", () =>
  withStore(async ({ documents }) => {
    const store = createActivityStore(documents);
    const records = Array.from({ length: 30 }, (_, n) => recordOf(n));
    assert.equal(await store.write(acme, records, 7), 30);
    assert.equal(await store.write(acme, records, 7), 0, "a second time they are passed over");
    await store.write(globex, [recordOf(99)], 7);
    const seen: string[] = [];
    let before: string | undefined;
    do {
      const page = await store.list(acme, { limit: 7, before });
      seen.push(...page.map(({ action }) => action));
      before = page.length === 7 ? page.at(-1)?._id : undefined;
    } while (before !== undefined);
    assert.deepEqual(seen, records.map(({ action }) => action).reverse());

    const of = await store.list(acme, { limit: 100, actor_id: "user-1", object_id: "object-2" });
    assert.deepEqual(of.map(({ action }) => action), ["test.29", "test.23", "test.17", "test.11", "test.5"]);
    const early = records.slice(0, 3).map(({ id }) => timeOf(id));
    const last = Math.max(...records.map(({ id }) => timeOf(id)));
    assert.equal((await store.list(acme, { limit: 100, from: early[0] })).length, 30);
    assert.equal((await store.list(acme, { limit: 100, from: last + 1 })).length, 0);
    assert.equal((await store.list(acme, { limit: 100, to: early[0] })).length, 0);
    assert.equal((await store.list(acme, { limit: 100, to: last + 1 })).length, 30);
  }));

test("entries go when the plan's days are over: by a TTL index, and for readers before that", () =>
  withStore(async ({ documents, mongo }) => {
    const time = { now: Date.now() };
    const store = createActivityStore(documents, { clock: () => time.now });
    await store.write(acme, [recordOf(1)], 7);
    await store.write(acme, [recordOf(2)], 30);
    await store.write(acme, [recordOf(3)], null);
    await store.write(acme, [recordOf(4)], 0);
    const actions = async () => (await store.list(acme, { limit: 10 })).map(({ action }) => action);
    assert.deepEqual(await actions(), ["test.3", "test.2", "test.1"]);
    time.now += 7 * DAY + 1000;
    assert.deepEqual(await actions(), ["test.3", "test.2"]);
    time.now += 1000 * DAY;
    assert.deepEqual(await actions(), ["test.3"]);
    await mongo.run(async (database) => {
      const indexes = await database.collection("activity").indexes();
      assert.equal(indexes.find(({ name }) => name === "activity_expiry")?.expireAfterSeconds, 0);
      const first = await database.collection("activity").findOne({ action: "test.1" });
      assert.equal(first?.["expires_at"].getTime(), timeOf(String(first?._id)) + 7 * DAY);
    });
  }));

test("what a process records is kept for as long as each organization's plan says", () =>
  withStore(async ({ documents }) => {
    const activity = createActivityStore(documents);
    const asked: string[] = [];
    const daysOf = (organizationId: string) => {
      asked.push(organizationId);
      return organizationId === acme
        ? Promise.resolve(30)
        : Promise.reject(new Error("the database is away"));
    };
    const recorder = createRecorder({ activity, daysOf, batch: 10 });
    for (let n = 0; n < 25; n++) {
      for (const organization_id of [acme, globex]) {
        recorder.record({ organization_id, actor: { kind: "server" }, action: "test.x" });
      }
    }
    await recorder.close();
    assert.deepEqual(recorder.figures(), { waiting: 0, written: 50, dropped: 0 });
    for (const [organization, days] of [[acme, 30], [globex, 7]] as const) {
      const found = await activity.list(organization, { limit: 100 });
      assert.equal(found.length, 25);
      assert.ok(found.every(({ _id, expires_at }) => expires_at?.getTime() === timeOf(_id) + days * DAY));
    }
    assert.equal(asked.filter((each) => each === acme).length, 1, "a plan is asked for once");
  }));

test("an entry that the store refuses does not stay in the way", () =>
  withStore(async ({ documents }) => {
    const activity = createActivityStore(documents);
    const { log, lines } = createTestLog();
    const recorder = createRecorder({ activity, daysOf: () => Promise.resolve(7), log });
    recorder.record({ organization_id: "x".repeat(36), actor: { kind: "server" }, action: "test.x" });
    await recorder.close();
    assert.equal(recorder.figures().waiting, 0);
    assert.equal(lines[0]?.["event"], "activity_refused");
  }));

test("without MongoDB 200,000 events take no more memory than the capacity", async () => {
  const mongo = createMongo({ uri: () => `mongodb://127.0.0.1:${closedPort()}/x`, selectionTimeoutMs: 30 });
  const { log } = createTestLog();
  const activity = createActivityStore(createDocuments({ mongo, log }));
  const recorder = createRecorder({ activity, daysOf: () => Promise.resolve(7), log, capacity: 1000 });
  const event = {
    actor: { kind: "user" as const, id: acme },
    action: "test.x",
    details: { text: "x".repeat(500) },
  };
  for (let n = 0; n < 200_000; n++) recorder.record({ organization_id: acme, ...event });
  await recorder.flush();
  assert.deepEqual(recorder.figures(), { waiting: 1000, written: 0, dropped: 199_000 });
  await recorder.close();
});
