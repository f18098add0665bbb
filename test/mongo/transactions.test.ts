// Transactions as MongoDB promises them: a snapshot, its own writes on top, the first writer wins, all or nothing.
import type { ClientSession, Document } from "mongodb";
import { afterEach, expect, test } from "vitest";
import { client, database, fresh, refused } from "./support.ts";

const sessions: ClientSession[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.endSession()));
});

function begin(): ClientSession {
  const session = client.startSession();
  sessions.push(session);
  session.startTransaction({ readConcern: { level: "snapshot" }, writeConcern: { w: "majority" } });
  return session;
}

const withoutId = { projection: { _id: 0 } };
const transient = "TransientTransactionError";

test("a transaction sees what was there when it began, and its own writes", async () => {
  const c = fresh();
  await c.createIndex({ k: 1 });
  await c.insertMany([
    { k: 1, n: 1 },
    { k: 2, n: 1 },
    { k: 3, n: 1 },
  ]);
  const session = begin();
  const seen = async () =>
    await c
      .find({ k: { $gt: 0 } }, { ...withoutId, session })
      .sort({ k: 1 })
      .toArray();
  const before = await seen();

  await c.updateOne({ k: 1 }, { $set: { n: 9 } });
  await c.deleteOne({ k: 2 });
  await c.insertOne({ k: 4, n: 1 });
  expect(await seen()).toEqual(before);
  expect(await c.countDocuments({}, { session })).toBe(3);
  expect(await c.findOne({ k: 4 }, { session })).toBeNull();

  await c.updateOne({ k: 3 }, { $set: { n: 7 } }, { session });
  await c.insertOne({ k: 5, n: 1 }, { session });
  expect(await seen()).toEqual([
    { k: 1, n: 1 },
    { k: 2, n: 1 },
    { k: 3, n: 7 },
    { k: 5, n: 1 },
  ]);
  const sums = await c.aggregate([{ $group: { _id: null, n: { $sum: "$n" } } }], { session }).toArray();
  expect(sums).toEqual([{ _id: null, n: 10 }]);
  expect(await c.find({}, withoutId).sort({ k: 1 }).toArray()).toEqual([
    { k: 1, n: 9 },
    { k: 3, n: 1 },
    { k: 4, n: 1 },
  ]);

  await session.commitTransaction();
  expect(await c.find({}, withoutId).sort({ k: 1 }).toArray()).toEqual([
    { k: 1, n: 9 },
    { k: 3, n: 7 },
    { k: 4, n: 1 },
    { k: 5, n: 1 },
  ]);
});

test("a document that has changed since cannot be written any more", async () => {
  const c = fresh();
  await c.insertOne({ k: 1, n: 0 });
  const session = begin();
  await c.findOne({ k: 1 }, { session });
  await c.updateOne({ k: 1 }, { $inc: { n: 1 } });
  const error = await refused(c.updateOne({ k: 1 }, { $inc: { n: 1 } }, { session }), 112);
  expect(error.hasErrorLabel(transient)).toBe(true);
  // And with it the transaction is over.
  const later = await refused(c.findOne({}, { session }), 251);
  expect(later.hasErrorLabel(transient)).toBe(true);
});

test("a write without a transaction waits for the one that has the document", async () => {
  const c = fresh();
  await c.insertOne({ k: 1, n: 0 });
  const session = begin();
  await c.updateOne({ k: 1 }, { $inc: { n: 1 } }, { session });
  let done = false;
  const waiting = c.updateOne({ k: 1 }, { $inc: { n: 10 } }).then(() => {
    done = true;
  });
  await refused(c.updateOne({ k: 1 }, { $inc: { n: 100 } }, { maxTimeMS: 50 }), 50);
  expect(await c.findOne({ k: 1 }, withoutId)).toEqual({ k: 1, n: 0 });
  expect(done).toBe(false);
  await session.commitTransaction();
  await waiting;
  expect(await c.findOne({ k: 1 }, withoutId)).toEqual({ k: 1, n: 11 });
});

test("of two transactions with the same unique key, one wins", async () => {
  const c = fresh();
  await c.createIndex({ k: 1 }, { unique: true });
  await c.insertOne({ k: 0 });
  const [a, b] = [begin(), begin()];
  await c.insertOne({ k: 1 }, { session: a });
  const error = await refused(c.insertOne({ k: 1 }, { session: b }), 112);
  expect(error.hasErrorLabel(transient)).toBe(true);
  await a.commitTransaction();
  expect(await c.countDocuments({ k: 1 })).toBe(1);
  await refused(c.insertOne({ k: 1 }), 11000);
});

test("what fails in a transaction takes all of it back", async () => {
  const c = fresh();
  await c.createIndex({ k: 1 }, { unique: true });
  await c.insertOne({ k: 1 });
  const session = begin();
  await c.insertOne({ k: 2 }, { session });
  await refused(c.insertOne({ k: 1 }, { session }), 11000);
  await expect(session.commitTransaction()).rejects.toThrow();
  expect(await c.countDocuments()).toBe(1);
});

test("over several collections, or none of them", async () => {
  const [a, b] = [fresh(), fresh()];
  const move = (fails: boolean) =>
    client.withSession((session) =>
      session.withTransaction(async () => {
        await a.insertOne({ x: 1 }, { session });
        await b.insertOne({ x: 1 }, { session });
        if (fails) throw new Error("changed my mind");
      }),
    );
  await move(false);
  await expect(move(true)).rejects.toThrow("changed my mind");
  expect([await a.countDocuments(), await b.countDocuments()]).toEqual([1, 1]);
});

test("a commit that is asked for twice is one", async () => {
  const c = fresh();
  const session = begin();
  await c.insertOne({ k: 1 }, { session });
  await session.commitTransaction();
  await session.commitTransaction();
  expect(await c.countDocuments()).toBe(1);
});

test("what cannot be part of a transaction is refused", async () => {
  const c = fresh();
  await c.insertOne({});
  for (const command of [
    { count: c.collectionName },
    { collStats: c.collectionName },
    { drop: c.collectionName },
  ]) {
    await refused(database.command(command as Document, { session: begin() }), 263);
  }
});

test("100 transfers at once keep the sum, and lose none", async () => {
  const c = fresh();
  const accounts = Array.from({ length: 8 }, (_, i) => ({ k: i, n: 100 }));
  await c.insertMany(accounts);
  const sums: number[] = [];
  await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      client.withSession((session) =>
        session.withTransaction(async () => {
          await c.updateOne({ k: i % 8 }, { $inc: { n: -1 } }, { session });
          await c.updateOne({ k: (i * 3 + 1) % 8 }, { $inc: { n: 1 } }, { session });
          const all = await c.find({}, { session }).toArray();
          sums.push(all.reduce((sum, { n }) => sum + n, 0));
        }),
      ),
    ),
  );
  expect(new Set(sums)).toEqual(new Set([800]));
  const expected = accounts.map(({ n }) => n);
  for (let i = 0; i < 100; i++) {
    expected[i % 8] = (expected[i % 8] ?? 0) - 1;
    expected[(i * 3 + 1) % 8] = (expected[(i * 3 + 1) % 8] ?? 0) + 1;
  }
  expect((await c.find().sort({ k: 1 }).toArray()).map(({ n }) => n)).toEqual(expected);
});

test("100 inserts at once into a unique index: exactly one", async () => {
  const c = fresh();
  await c.createIndex({ org: 1, slug: 1 }, { unique: true });
  const all = await Promise.allSettled(
    Array.from({ length: 100 }, (_, i) => c.insertOne({ org: 1, slug: "a", i })),
  );
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const one of all) if (one.status === "rejected") expect(one.reason.code).toBe(11000);
  expect(await c.countDocuments()).toBe(1);
});
