// What an application asks of MongoDB through its driver. It runs unchanged against any MONGODB_URI.
import {
  Binary,
  Decimal128,
  type Document,
  GridFSBucket,
  Long,
  MongoClient,
  ObjectId,
  Timestamp,
  UUID,
} from "mongodb";
import { describe, expect, test, vi } from "vitest";
import { client, database, fresh, orRefused, refused, uri } from "./support.ts";

const withoutId = { projection: { _id: 0 } };
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("the server", () => {
  test("says hello as a member of a replica set", async () => {
    const hello = await database.admin().command({ hello: 1 });
    expect(hello).toMatchObject({ isWritablePrimary: true, setName: expect.any(String) });
    expect(hello["maxWireVersion"]).toBeGreaterThanOrEqual(21);
  });

  test("tells its version", async () => {
    expect((await database.admin().command({ buildInfo: 1 }))["version"]).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("refuses a command that it does not know", async () => {
    await refused(database.command({ nosuch: 1 }), 59);
  });

  test("refuses a wrong password", async () => {
    const strange = new URL(uri);
    strange.username = "u";
    strange.password = "p";
    const other = new MongoClient(strange.href, { serverSelectionTimeoutMS: 30_000 });
    await expect(other.db("x").command({ ping: 1 })).rejects.toMatchObject({ code: 18 });
    await other.close();
  });

  test("serves 20 clients at once", async () => {
    const c = fresh();
    await Promise.all(
      numbers(20).map(async (i) => {
        const other = new MongoClient(uri);
        const same = other.db(c.dbName).collection(c.collectionName);
        for (const q of numbers(20)) await same.insertOne({ i, q });
        await other.close();
      }),
    );
    expect(await c.countDocuments()).toBe(400);
  });
});

describe("inserts", () => {
  test("one, and finds it", async () => {
    const c = fresh();
    const { insertedId } = await c.insertOne({ a: 1 });
    expect(await c.findOne({ _id: insertedId })).toEqual({ _id: insertedId, a: 1 });
  });

  test.each([
    ["a string", "wf_123"],
    ["a UUID", new UUID()],
    ["a string that looks like an ObjectId", "aaaaaaaaaaaaaaaaaaaaaaaa"],
    ["a document", { a: 1, b: "x" }],
  ])("with %s as its id", async (_name, id) => {
    const c = fresh();
    const _id = id as unknown as ObjectId;
    await c.insertOne({ _id });
    expect(await c.findOne({ _id })).toEqual({ _id });
    expect(await c.findOne({})).toEqual({ _id });
  });

  test("not the same id twice", async () => {
    const c = fresh();
    const _id = new ObjectId();
    await c.insertOne({ _id });
    await refused(c.insertOne({ _id }), 11000);
  });

  test("many", async () => {
    const c = fresh();
    expect((await c.insertMany([{ a: 1 }, { a: 2 }, { a: 3 }])).insertedCount).toBe(3);
    expect(await c.countDocuments()).toBe(3);
    expect(await c.estimatedDocumentCount()).toBe(3);
  });

  test("10,000 at once", async () => {
    const c = fresh();
    await c.insertMany(numbers(10_000).map((i) => ({ i, s: `abc${i}`, at: new Date() })));
    expect(await c.countDocuments({ i: { $lt: 5_000 } })).toBe(5_000);
  });

  test("2,000 one after the other", async () => {
    const c = fresh();
    for (const i of numbers(2_000)) await c.insertOne({ i, s: `abc${i}` });
    expect(await c.countDocuments()).toBe(2_000);
  });

  test("200 concurrently: none is lost", async () => {
    const c = fresh();
    await Promise.all(numbers(200).map((i) => c.insertOne({ i })));
    expect(await c.countDocuments()).toBe(200);
  });
});

describe("BSON types", () => {
  const values = {
    date: new Date("2026-01-02T03:04:05.678Z"),
    id: new ObjectId(),
    decimal: Decimal128.fromString("12.50"),
    long: Long.fromString("9007199254740993"),
    binary: new Binary(Buffer.from([1, 2, 3])),
    regex: /ab+c/i,
    nothing: null,
    timestamp: new Timestamp({ t: 5, i: 6 }),
    uuid: new UUID(),
    double: 1.5,
    int: 7,
    nested: { dates: [new Date(5)] },
  };

  test("come back as they went", async () => {
    const c = fresh();
    await c.insertOne({ ...values });
    expect(await c.findOne({}, { ...withoutId, promoteLongs: false })).toEqual(values);
  });

  test("survive an update", async () => {
    const c = fresh();
    await c.insertOne({ k: 1, ...values });
    await c.updateOne({ k: 1 }, { $set: { z: 1 } });
    const found = await c.findOne({ k: 1 }, { projection: { _id: 0, k: 0, z: 0 }, promoteLongs: false });
    expect(found).toEqual(values);
  });

  test("compare by value, whatever the type of the number", async () => {
    const c = fresh();
    await c.insertMany([
      { n: Decimal128.fromString("9.99") },
      { n: 9.99 },
      { n: Long.fromString("9007199254740993") },
      { n: 9007199254740992 },
      { n: Decimal128.fromString("3") },
    ]);
    const found = async (filter: Document) =>
      (await c.find(filter, { promoteLongs: false }).toArray()).map(({ n }) => String(n));
    expect(await found({ n: Decimal128.fromString("9.99") })).toEqual(["9.99"]); // the double is not quite that
    expect(await found({ n: 9.99 })).toEqual(["9.99"]);
    expect(await found({ n: Long.fromString("9007199254740993") })).toEqual(["9007199254740993"]);
    expect(await found({ n: { $gt: 9007199254740992 } })).toEqual(["9007199254740993"]);
    expect(await found({ n: 3 })).toEqual(["3"]);
    expect(await found({ n: { $lt: Decimal128.fromString("9.99") } })).toEqual(["3"]);
  });
});

describe("queries", () => {
  test("sort, skip, limit and projection", async () => {
    const c = fresh();
    await c.insertMany([5, 3, 9, 1, 7].map((x) => ({ x, y: { z: x, w: 1 } })));
    const found = c
      .find({ x: { $gt: 1 } })
      .sort({ x: -1 })
      .skip(1)
      .limit(2);
    expect(await found.project({ _id: 0, x: 1, "y.z": 1 }).toArray()).toEqual([
      { x: 7, y: { z: 7 } },
      { x: 5, y: { z: 5 } },
    ]);
  });

  test("projections leave out nested fields, and the stored document alone", async () => {
    const c = fresh();
    await c.insertOne({ a: { b: 1, c: 2 }, d: 3 });
    expect(await c.findOne({}, { projection: { _id: 0, "a.b": 0 } })).toEqual({ a: { c: 2 }, d: 3 });
    expect(await c.findOne({}, withoutId)).toEqual({ a: { b: 1, c: 2 }, d: 3 });
  });

  test("projections by $slice and $elemMatch", async () => {
    const c = fresh();
    await c.insertOne({ a: [1, 2, 3], o: [{ k: 1 }, { k: 2 }] });
    const projection = { _id: 0, a: { $slice: 2 }, o: { $elemMatch: { k: 2 } } };
    expect(await c.findOne({}, { projection })).toEqual({ a: [1, 2], o: [{ k: 2 }] });
  });

  test("projections through arrays", async () => {
    const c = fresh();
    await c.insertOne({
      o: [
        { k: 1, z: 9 },
        { k: 2, z: 8 },
      ],
    });
    expect(await c.findOne({}, { projection: { _id: 0, "o.k": 1 } })).toEqual({ o: [{ k: 1 }, { k: 2 }] });
  });

  test("strings sort by their bytes", async () => {
    const c = fresh();
    await c.insertMany(["b", "A", "a", "B", "_"].map((x) => ({ x })));
    const found = await c.find().sort({ x: 1 }).toArray();
    expect(found.map(({ x }) => x)).toEqual(["A", "B", "_", "a", "b"]);
  });

  test("values of different types sort by type", async () => {
    const c = fresh();
    await c.insertMany([{ x: "a" }, { x: 5 }, { x: null }, {}, { x: new Date(0) }, { x: true }]);
    const found = await c.find().sort({ x: 1, _id: 1 }).toArray();
    expect(found.map(({ x }) => x)).toEqual([null, undefined, 5, "a", true, new Date(0)]);
  });

  test("by a range of dates", async () => {
    const c = fresh();
    await c.insertMany([1, 2, 3].map((x) => ({ d: new Date(x * 1_000) })));
    expect(await c.countDocuments({ d: { $gte: new Date(2_000) } })).toBe(2);
  });

  test.each<[Document]>([
    [{ "a.b": 1 }],
    [{ tags: "x" }],
    [{ tags: { $all: ["x", "y"] } }],
    [{ items: { $elemMatch: { q: 1, p: 2 } } }],
    [{ s: /^hel/i }],
    [{ s: { $regex: "^hel", $options: "i" } }],
    [{ "a.b": { $in: [1, 7] } }],
    [{ $or: [{ s: "Hello" }, { "a.b": 44 }] }],
    [{ "items.q": { $lt: 3 } }],
    [{ tags: { $size: 2 } }],
    [{ $expr: { $eq: ["$a.b", 1] } }],
    [{ s: { $not: /^b/ } }],
    [{ "a.b": { $mod: [2, 1] } }],
    [{ "items.0.p": 2 }],
    [{ tags: { $nin: ["z"] } }],
    [{ a: { $eq: { b: 1 } } }],
  ])("by %j", async (filter) => {
    const c = fresh();
    await c.insertMany([
      { a: { b: 1 }, tags: ["x", "y"], items: [{ q: 1, p: 2 }], s: "Hello" },
      { a: { b: 2 }, tags: ["z"], items: [{ q: 5, p: 9 }], s: "bye" },
    ]);
    expect((await c.find(filter).toArray()).map(({ s }) => s)).toEqual(["Hello"]);
  });

  test("an embedded document equals one with the same fields in the same order", async () => {
    const c = fresh();
    await c.insertOne({ a: { x: 1, y: 2 } });
    expect(await c.countDocuments({ a: { x: 1, y: 2 } })).toBe(1);
    expect(await c.countDocuments({ a: { y: 2, x: 1 } })).toBe(0);
    expect(await c.countDocuments({ a: { x: 1 } })).toBe(0);
  });

  test("by ObjectIds", async () => {
    const c = fresh();
    const ids = [new ObjectId(), new ObjectId()];
    await c.insertMany(ids.map((_id) => ({ _id, ref: _id })));
    expect(await c.countDocuments({ _id: { $in: ids } })).toBe(2);
    expect(await c.countDocuments({ ref: { $in: ids.slice(1) } })).toBe(1);
  });

  test("null is also what is missing", async () => {
    const c = fresh();
    await c.insertMany([{ a: null }, {}, { a: 1 }]);
    expect(await c.countDocuments({ a: null })).toBe(2);
    expect(await c.countDocuments({ a: { $exists: false } })).toBe(1);
  });

  test("distinct values keep their types", async () => {
    const c = fresh();
    const o = new ObjectId();
    await c.insertMany([{ a: 1, o, d: new Date(5) }, { a: 2, o, d: new Date(5) }, { a: 1 }]);
    expect(await c.distinct("a")).toEqual([1, 2]);
    expect(await c.distinct("o")).toEqual([o]);
    expect(await c.distinct("d")).toEqual([new Date(5)]);
  });

  test("1,000 documents in batches of 100, in order", async () => {
    const c = fresh();
    await c.insertMany(numbers(1_000).map((i) => ({ i })));
    const seen: number[] = [];
    for await (const { i } of c.find().sort({ i: 1 }).batchSize(100)) seen.push(i);
    expect(seen).toEqual(numbers(1_000));
  });

  test("500 by their ids, of 10,000", async () => {
    const c = fresh();
    const ids = numbers(10_000).map(() => new ObjectId());
    await c.insertMany(ids.map((_id, i) => ({ _id, i })));
    for (const i of numbers(500)) {
      expect((await c.findOne({ _id: ids[i * 20] as ObjectId }))?.["i"]).toBe(i * 20);
    }
  });

  test("explained", async () => {
    const c = fresh();
    await c.insertOne({ a: 1 });
    expect(await c.find({ a: 1 }).explain()).toHaveProperty("queryPlanner.winningPlan");
  });

  test("a collation", async () => {
    const c = fresh();
    await c.insertOne({ e: "ABC" });
    await orRefused(async () => {
      const collation = { locale: "en", strength: 2 };
      expect(await c.countDocuments({ e: "abc" }, { collation })).toBe(1);
    });
  });
});

describe("updates", () => {
  async function updated(
    before: Document,
    update: Document,
    filter: Document = {},
  ): Promise<Document | null> {
    const c = fresh();
    await c.insertOne(before);
    await c.updateOne(filter, update);
    return c.findOne({}, withoutId);
  }

  test("$set, $inc, $push, $addToSet, $unset", async () => {
    const c = fresh();
    await c.insertOne({ k: 1, v: 1, arr: [1], set: ["a"], x: 1 });
    const result = await c.updateOne(
      { k: 1 },
      {
        $set: { "n.m": 2 },
        $inc: { v: 2 },
        $push: { arr: { $each: [2, 3], $slice: -2 } as never },
        $addToSet: { set: { $each: ["a", "b"] } as never },
        $unset: { x: "" },
      },
    );
    expect(result).toMatchObject({ matchedCount: 1, modifiedCount: 1 });
    expect(await c.findOne({ k: 1 }, withoutId)).toEqual({
      k: 1,
      v: 3,
      arr: [2, 3],
      set: ["a", "b"],
      n: { m: 2 },
    });
  });

  test.each<[string, Document, Document, Document]>([
    ["$push with $sort", { a: [3, 1] }, { $push: { a: { $each: [2], $sort: 1 } } }, { a: [1, 2, 3] }],
    ["$push with $position", { a: [1] }, { $push: { a: { $each: [0], $position: 0 } } }, { a: [0, 1] }],
    ["$[] of all", { a: [{ s: 0 }, { s: 0 }] }, { $set: { "a.$[].s": 1 } }, { a: [{ s: 1 }, { s: 1 }] }],
    [
      "$pull by a condition",
      { a: [{ id: 1 }, { id: 2 }], b: [1, 5, 9] },
      { $pull: { a: { id: 1 }, b: { $gte: 5 } } },
      { a: [{ id: 2 }], b: [1] },
    ],
    [
      "$min, $max, $mul, $rename",
      { mi: 5, ma: 5, mu: 5, o: 1 },
      { $min: { mi: 3 }, $max: { ma: 9 }, $mul: { mu: 2 }, $rename: { o: "p" } },
      { mi: 3, ma: 9, mu: 10, p: 1 },
    ],
  ])("%s", async (_name, before, update, after) => {
    expect(await updated(before, update)).toEqual(after);
  });

  test("$currentDate", async () => {
    expect(await updated({ k: 1 }, { $currentDate: { at: true } })).toEqual({ k: 1, at: expect.any(Date) });
  });

  test("$ is the element that was found", async () => {
    const steps = [
      { id: "a", s: 0 },
      { id: "b", s: 0 },
    ];
    expect(await updated({ steps }, { $set: { "steps.$.s": 1 } }, { "steps.id": "b" })).toEqual({
      steps: [
        { id: "a", s: 0 },
        { id: "b", s: 1 },
      ],
    });
  });

  test("arrayFilters", async () => {
    const c = fresh();
    await c.insertOne({
      steps: [
        { id: "a", s: 0 },
        { id: "b", s: 0 },
      ],
    });
    await c.updateOne({}, { $set: { "steps.$[e].s": 1 } }, { arrayFilters: [{ "e.id": "b" }] });
    expect((await c.findOne({}))?.["steps"]).toEqual([
      { id: "a", s: 0 },
      { id: "b", s: 1 },
    ]);
  });

  test("by a pipeline", async () => {
    const c = fresh();
    await c.insertOne({ a: 2, b: 3 });
    await c.updateOne({}, [{ $set: { sum: { $add: ["$a", "$b"] } } }]);
    expect((await c.findOne({}))?.["sum"]).toBe(5);
  });

  test("an upsert takes what the filter says, and $setOnInsert once", async () => {
    const c = fresh();
    const first = await c.updateOne(
      { k: "x", "n.q": 3 },
      { $set: { a: 1 }, $setOnInsert: { created: 1, "m.n": 2 } },
      { upsert: true },
    );
    expect(first.upsertedId).toBeInstanceOf(ObjectId);
    const update = { $set: { a: 2 }, $setOnInsert: { created: 99 } };
    const second = await c.updateOne({ k: "x" }, update, { upsert: true });
    expect(second).toMatchObject({ matchedCount: 1, upsertedCount: 0 });
    expect(await c.findOne({ k: "x" }, withoutId)).toEqual({
      k: "x",
      n: { q: 3 },
      a: 2,
      created: 1,
      m: { n: 2 },
    });
  });

  test("an upsert keeps the id that the filter names", async () => {
    const c = fresh();
    const _id = new ObjectId();
    await c.updateOne({ _id }, { $set: { a: 1 } }, { upsert: true });
    expect(await c.findOne({ _id })).toEqual({ _id, a: 1 });
  });

  test("a replacement keeps nothing but the id", async () => {
    const c = fresh();
    await c.insertOne({ k: 1, a: 1, b: 2 });
    await c.replaceOne({ k: 1 }, { k: 1, c: 3 });
    expect(await c.findOne({ k: 1 }, withoutId)).toEqual({ k: 1, c: 3 });
  });

  test("of many, and their deletion, are counted", async () => {
    const c = fresh();
    await c.insertMany([{ g: 1 }, { g: 1 }, { g: 2 }]);
    expect(await c.updateMany({ g: 1 }, { $set: { f: 1 } })).toMatchObject({
      matchedCount: 2,
      modifiedCount: 2,
    });
    expect((await c.deleteMany({ g: 1 })).deletedCount).toBe(2);
    expect((await c.deleteOne({ g: 2 })).deletedCount).toBe(1);
  });

  test("with an operator that does not exist are refused", async () => {
    const c = fresh();
    await c.insertOne({ k: 1 });
    await refused(c.updateOne({ k: 1 }, { $foo: { a: 1 } } as never), 9);
  });

  test("of the id are refused", async () => {
    const c = fresh();
    await c.insertOne({ k: 1 });
    await refused(c.updateOne({ k: 1 }, { $set: { _id: new ObjectId() } }), 66);
  });

  test("200 concurrent increments: none is lost", async () => {
    const c = fresh();
    await c.insertOne({ k: 1, n: 0 });
    await Promise.all(numbers(200).map(() => c.updateOne({ k: 1 }, { $inc: { n: 1 } })));
    expect((await c.findOne({ k: 1 }))?.["n"]).toBe(200);
  });
});

describe("find and modify", () => {
  test("under a version", async () => {
    const c = fresh();
    await c.insertOne({ k: 1, version: 1 });
    const update = { $set: { v: "x" }, $inc: { version: 1 } };
    const after = { returnDocument: "after" } as const;
    expect(await c.findOneAndUpdate({ version: 1 }, update, after)).toMatchObject({ version: 2, v: "x" });
    expect(await c.findOneAndUpdate({ version: 1 }, update, after)).toBeNull();
  });

  test("of 50 with the same version, one wins", async () => {
    const c = fresh();
    await c.insertOne({ version: 1 });
    const all = await Promise.all(
      numbers(50).map(() => c.findOneAndUpdate({ version: 1 }, { $inc: { version: 1 } })),
    );
    expect(all.filter(Boolean)).toHaveLength(1);
  });

  test("sorted, projected, upserted, missed", async () => {
    const c = fresh();
    await c.insertMany([
      { q: 1, p: 2 },
      { q: 1, p: 1 },
    ]);
    const first = { sort: { p: 1 }, projection: { _id: 0, p: 1, t: 1 } } as const;
    expect(await c.findOneAndUpdate({ q: 1 }, { $set: { t: 1 } }, first)).toEqual({ p: 1 });
    const details = { includeResultMetadata: true } as const;
    const upserted = await c.findOneAndUpdate(
      { q: 7 },
      { $set: { z: 1 } },
      { ...details, upsert: true, returnDocument: "after" },
    );
    expect(upserted).toMatchObject({ value: { q: 7 }, lastErrorObject: { upserted: expect.any(ObjectId) } });
    const missed = await c.findOneAndUpdate({ q: 99 }, { $set: { z: 1 } }, details);
    expect(missed).toMatchObject({ value: null, lastErrorObject: { updatedExisting: false } });
  });

  test("delete and replace", async () => {
    const c = fresh();
    await c.insertMany([{ k: 1 }, { k: 2 }]);
    expect(await c.findOneAndDelete({ k: 1 })).toMatchObject({ k: 1 });
    expect(await c.findOneAndReplace({ k: 2 }, { k: 3 }, { returnDocument: "after" })).toMatchObject({
      k: 3,
    });
    expect(await c.countDocuments()).toBe(1);
  });
});

describe("indexes", () => {
  test("unique: neither by insert nor by update", async () => {
    const c = fresh();
    await c.createIndex({ email: 1 }, { unique: true });
    await c.insertMany([{ email: "a" }, { email: "b" }]);
    const error = await refused(c.insertOne({ email: "a" }), 11000);
    expect(error).toMatchObject({ keyPattern: { email: 1 }, keyValue: { email: "a" } });
    await refused(c.updateOne({ email: "b" }, { $set: { email: "a" } }), 11000);
  });

  test("unique: of 20 upserts at once, one document", async () => {
    const c = fresh();
    await c.createIndex({ k: 1 }, { unique: true });
    await Promise.allSettled(
      numbers(20).map(() => c.updateOne({ k: 1 }, { $set: { a: 1 } }, { upsert: true })),
    );
    expect(await c.countDocuments()).toBe(1);
  });

  test("unique: of two fields together", async () => {
    const c = fresh();
    await c.createIndex({ org: 1, slug: 1 }, { unique: true });
    await c.insertMany([
      { org: 1, slug: "a" },
      { org: 2, slug: "a" },
    ]);
    await refused(c.insertOne({ org: 1, slug: "a" }), 11000);
  });

  test("unique: only where a condition holds", async () => {
    const c = fresh();
    await c.createIndex({ s: 1 }, { unique: true, partialFilterExpression: { active: true } });
    await c.insertMany([
      { s: 1, active: false },
      { s: 1, active: false },
      { s: 1, active: true },
    ]);
    await refused(c.insertOne({ s: 1, active: true }), 11000);
  });

  test("unique: not over documents that are not", async () => {
    const c = fresh();
    await c.insertMany([{ a: 1 }, { a: 1 }]);
    await refused(c.createIndex({ a: 1 }, { unique: true }), 11000);
  });

  test("are listed, dropped, and not made anew with other options", async () => {
    const c = fresh();
    await c.createIndex({ a: 1 });
    await c.createIndex({ a: 1 });
    expect((await c.indexes()).map(({ name }) => name)).toEqual(["_id_", "a_1"]);
    const error = await c.createIndex({ a: 1 }, { unique: true }).catch((reason) => reason);
    expect([85, 86]).toContain(error.code);
    await c.dropIndex("a_1");
    expect(await c.indexes()).toHaveLength(1);
  });

  test("of text", async () => {
    const c = fresh();
    await c.createIndex({ t: "text" });
    await c.insertMany([{ t: "quick brown fox" }, { t: "lazy dog" }]);
    expect(await c.find({ $text: { $search: "fox" } }, withoutId).toArray()).toEqual([
      { t: "quick brown fox" },
    ]);
  });

  test("with a time to live", async () => {
    const c = fresh();
    await c.createIndex({ at: 1 }, { expireAfterSeconds: 1 });
    const index = (await c.indexes()).find(({ name }) => name === "at_1");
    expect(index?.["expireAfterSeconds"]).toBe(1);
    await c.insertMany([{ at: new Date(Date.now() - 60_000) }, { at: new Date(Date.now() + 600_000) }, {}]);
    // A real mongod looks once a minute.
    await vi.waitFor(async () => expect(await c.countDocuments()).toBe(2), {
      timeout: 140_000,
      interval: 200,
    });
  });
});

describe("aggregations", () => {
  const pipeline = (stages: Document[], documents: Document[]) => async () => {
    const c = fresh();
    await c.insertMany(documents);
    return c.aggregate(stages).toArray();
  };

  test("match, group and sort", async () => {
    const run = pipeline(
      [
        { $match: { v: { $gt: 0 } } },
        { $group: { _id: "$g", total: { $sum: "$v" }, n: { $sum: 1 } } },
        { $sort: { total: -1 } },
      ],
      [
        { g: "a", v: 1 },
        { g: "b", v: 5 },
        { g: "a", v: 2 },
        { g: "z", v: 0 },
      ],
    );
    expect(await run()).toEqual([
      { _id: "b", total: 5, n: 1 },
      { _id: "a", total: 3, n: 2 },
    ]);
  });

  test("$lookup by a field, ObjectIds too", async () => {
    const [a, b] = [fresh(), fresh()];
    const id = new ObjectId();
    await a.insertMany([{ k: 1 }, { k: id }, { k: 3 }]);
    await b.insertMany([{ ref: 1 }, { ref: id }]);
    const lookup = { from: b.collectionName, localField: "k", foreignField: "ref", as: "j" };
    const found = await a.aggregate([{ $lookup: lookup }]).toArray();
    expect(found.map(({ j }) => j.length)).toEqual([1, 1, 0]);
  });

  test("$lookup by a pipeline with variables", async () => {
    const [a, b] = [fresh(), fresh()];
    await a.insertOne({ k: 1 });
    await b.insertMany([
      { ref: 1, v: 3 },
      { ref: 1, v: 9 },
    ]);
    const condition = { $and: [{ $eq: ["$ref", "$$k"] }, { $gt: ["$v", 5] }] };
    const lookup = {
      from: b.collectionName,
      let: { k: "$k" },
      pipeline: [{ $match: { $expr: condition } }],
      as: "j",
    };
    const [found] = await a.aggregate([{ $lookup: lookup }]).toArray();
    expect(found?.["j"].map(({ v }: Document) => v)).toEqual([9]);
  });

  test("groups by ObjectId", async () => {
    const o = new ObjectId();
    const run = pipeline(
      [{ $group: { _id: "$o", n: { $sum: "$v" } } }],
      [
        { o, v: 1 },
        { o, v: 2 },
      ],
    );
    expect(await run()).toEqual([{ _id: o, n: 3 }]);
  });

  test("$facet", async () => {
    const page = [{ $sort: { v: -1 } }, { $limit: 2 }, { $project: { _id: 0, v: 1 } }];
    const run = pipeline(
      [{ $facet: { page, total: [{ $count: "n" }] } }],
      [1, 2, 3, 4].map((v) => ({ v })),
    );
    expect(await run()).toEqual([{ page: [{ v: 4 }, { v: 3 }], total: [{ n: 4 }] }]);
  });

  test("$unwind, $addFields and dates", async () => {
    const run = pipeline(
      [
        { $unwind: "$a" },
        {
          $addFields: {
            y: { $year: "$at" },
            day: { $dateToString: { date: "$at", format: "%Y-%m-%d" } },
            month: { $dateTrunc: { date: "$at", unit: "month" } },
          },
        },
        { $project: { _id: 0, at: 0 } },
      ],
      [{ at: new Date("2026-03-04T00:00:00Z"), a: [1, 2] }],
    );
    const same = { y: 2026, day: "2026-03-04", month: new Date("2026-03-01T00:00:00Z") };
    expect(await run()).toEqual([
      { a: 1, ...same },
      { a: 2, ...same },
    ]);
  });

  test("$setWindowFields", async () => {
    const window = { documents: ["unbounded", "current"] };
    const run = pipeline(
      [{ $setWindowFields: { sortBy: { v: 1 }, output: { run: { $sum: "$v", window } } } }],
      [{ v: 1 }, { v: 2 }, { v: 3 }],
    );
    expect((await run()).map(({ run }) => run)).toEqual([1, 3, 6]);
  });

  test("$bucket", async () => {
    const run = pipeline(
      [{ $bucket: { groupBy: "$v", boundaries: [0, 2, 9] } }],
      [{ v: 1 }, { v: 2 }, { v: 3 }],
    );
    expect(await run()).toEqual([
      { _id: 0, count: 1 },
      { _id: 2, count: 2 },
    ]);
  });

  test("$graphLookup", async () => {
    const c = fresh();
    await c.insertMany([
      { n: "a", p: null },
      { n: "b", p: "a" },
      { n: "c", p: "b" },
    ]);
    const lookup = {
      from: c.collectionName,
      startWith: "$p",
      connectFromField: "p",
      connectToField: "n",
      as: "all",
    };
    const [found] = await c.aggregate([{ $match: { n: "c" } }, { $graphLookup: lookup }]).toArray();
    expect(found?.["all"]).toHaveLength(2);
  });

  test("$merge and $out", async () => {
    const [from, merged, out] = [fresh(), fresh(), fresh()];
    await from.insertMany([{ g: 1 }, { g: 1 }]);
    const group = { $group: { _id: "$g", n: { $sum: 1 } } };
    await from.aggregate([group, { $merge: { into: merged.collectionName } }]).toArray();
    await from.aggregate([group, { $out: out.collectionName }]).toArray();
    for (const target of [merged, out]) expect(await target.find().toArray()).toEqual([{ _id: 1, n: 2 }]);
  });

  test("an unknown stage is refused", async () => {
    await refused(
      fresh()
        .aggregate([{ $nope: {} }])
        .toArray(),
      40324,
    );
  });
});

describe("bulk writes", () => {
  test("in order", async () => {
    const c = fresh();
    await c.insertMany([{ k: "d" }, { k: "u" }]);
    const result = await c.bulkWrite([
      { insertOne: { document: { k: 1 } } },
      { updateOne: { filter: { k: "u" }, update: { $set: { x: 1 } } } },
      { updateOne: { filter: { k: "up" }, update: { $set: { x: 1 } }, upsert: true } },
      { deleteOne: { filter: { k: "d" } } },
      { replaceOne: { filter: { k: 1 }, replacement: { k: 2 } } },
    ]);
    expect(result).toMatchObject({ insertedCount: 1, modifiedCount: 2, upsertedCount: 1, deletedCount: 1 });
  });

  test("without order, all but those that fail", async () => {
    const c = fresh();
    await c.createIndex({ k: 1 }, { unique: true });
    const error = await c
      .insertMany([{ k: 1 }, { k: 1 }, { k: 2 }], { ordered: false })
      .catch((reason) => reason);
    expect(error.code).toBe(11000);
    expect(error.writeErrors).toHaveLength(1);
    expect(await c.countDocuments()).toBe(2);
  });

  test("to several collections", async () => {
    const [a, b] = [fresh(), fresh()];
    await a.insertOne({ k: 1 });
    const result = await client.bulkWrite([
      { name: "insertOne", namespace: b.namespace, document: { k: 2 } as Document },
      { name: "updateOne", namespace: a.namespace, filter: { k: 1 }, update: { $set: { x: 1 } } },
      {
        name: "updateOne",
        namespace: a.namespace,
        filter: { k: 9 },
        update: { $set: { x: 1 } },
        upsert: true,
      },
      { name: "deleteMany", namespace: b.namespace, filter: {} },
    ]);
    expect(result).toMatchObject({ insertedCount: 1, modifiedCount: 1, upsertedCount: 1, deletedCount: 1 });
  });
});

describe("transactions", () => {
  test("commit", async () => {
    const c = fresh();
    await c.insertOne({ k: 0 });
    await client.withSession((session) =>
      session.withTransaction(async () => {
        await c.insertOne({ k: 1 }, { session });
        await c.updateOne({ k: 0 }, { $set: { x: 1 } }, { session });
      }),
    );
    expect(await c.find({}, withoutId).sort({ k: 1 }).toArray()).toEqual([{ k: 0, x: 1 }, { k: 1 }]);
  });

  test("roll back", async () => {
    const c = fresh();
    await c.insertOne({ k: 0 });
    const work = client.withSession((session) =>
      session.withTransaction(async () => {
        await c.insertOne({ k: 1 }, { session });
        throw new Error("boom");
      }),
    );
    await expect(work).rejects.toThrow("boom");
    expect(await c.countDocuments()).toBe(1);
  });

  test("are not seen before they are committed", async () => {
    const c = fresh();
    await c.insertOne({ k: 0 });
    await client.withSession(async (session) => {
      session.startTransaction();
      await c.insertOne({ k: 1 }, { session });
      expect(await c.countDocuments()).toBe(1);
      expect(await c.countDocuments({}, { session })).toBe(2);
      await session.commitTransaction();
    });
    expect(await c.countDocuments()).toBe(2);
  });

  test("conflict over a document", async () => {
    const c = fresh();
    await c.insertOne({ k: 1, n: 0 });
    const [a, b] = [client.startSession(), client.startSession()];
    a.startTransaction();
    b.startTransaction();
    await c.updateOne({ k: 1 }, { $inc: { n: 1 } }, { session: a });
    const error = await refused(c.updateOne({ k: 1 }, { $inc: { n: 1 } }, { session: b }), 112);
    expect(error.hasErrorLabel("TransientTransactionError")).toBe(true);
    await a.commitTransaction();
    await Promise.all([a.endSession(), b.endSession()]);
    expect((await c.findOne({}))?.["n"]).toBe(1);
  });

  test("a write in a session without one", async () => {
    const c = fresh();
    await client.withSession((session) => c.insertOne({ a: 1 }, { session }));
    expect(await c.countDocuments()).toBe(1);
  });
});

describe("large things", () => {
  const mebibytes = (count: number) => "x".repeat(count * 1024 * 1024);

  test("GridFS: up, down, gone", async () => {
    const bucket = new GridFSBucket(database, { bucketName: "files", chunkSizeBytes: 64 * 1024 });
    const data = Buffer.alloc(300 * 1024, 7);
    data.write("head");
    const upload = bucket.openUploadStream("f.bin", { metadata: { a: 1 } });
    await new Promise((resolve, reject) => upload.on("finish", resolve).on("error", reject).end(data));
    const chunks: Buffer[] = [];
    for await (const chunk of bucket.openDownloadStream(upload.id)) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(data)).toBe(true);
    expect((await bucket.find({}).toArray()).map(({ length }) => length)).toEqual([data.length]);
    await bucket.delete(upload.id);
    expect(await bucket.find({}).toArray()).toEqual([]);
  });

  test("a document of 15 MiB", async () => {
    const c = fresh();
    const s = mebibytes(15);
    await c.insertOne({ s });
    expect((await c.findOne({}))?.["s"].length).toBe(s.length);
  });

  test("four of them in one cursor", async () => {
    const c = fresh();
    for (const i of numbers(4)) await c.insertOne({ i, s: mebibytes(15) });
    expect(await c.find().toArray()).toHaveLength(4);
  });

  test("a document of more than 16 MiB is refused", async () => {
    await expect(fresh().insertOne({ s: `${mebibytes(16)}${"x".repeat(1_000)}` })).rejects.toThrow();
  });

  test("a document that grows beyond 16 MiB is refused", async () => {
    const c = fresh();
    await c.insertOne({ k: 1, s: mebibytes(10) });
    const error = await c.updateOne({ k: 1 }, { $set: { s2: mebibytes(10) } }).catch((reason) => reason);
    expect([10334, 17419]).toContain(error.code);
    expect(await c.countDocuments({ s2: { $exists: true } })).toBe(0);
  });
});

describe("collections", () => {
  test("with a schema", async () => {
    const name = "validated";
    const schema = { bsonType: "object", required: ["name"], properties: { name: { bsonType: "string" } } };
    const c = await database.createCollection(name, { validator: { $jsonSchema: schema } });
    await c.insertOne({ name: "fine" });
    const error = await refused(c.insertOne({ nope: 1 }), 121);
    expect(error["errInfo"]).toMatchObject({
      failingDocumentId: expect.any(ObjectId),
      details: expect.any(Object),
    });
  });

  test("given a validator later", async () => {
    const c = fresh();
    await c.insertOne({});
    await database.command({ collMod: c.collectionName, validator: { a: { $exists: true } } });
    await refused(c.insertOne({ b: 1 }), 121);
  });

  test("capped", async () => {
    const c = await database.createCollection("capped", { capped: true, size: 4_096, max: 2 });
    for (const i of numbers(4)) await c.insertOne({ i });
    expect((await c.find().toArray()).map(({ i }) => i)).toEqual([2, 3]);
  });

  test("renamed, listed, dropped", async () => {
    const c = fresh();
    await c.insertOne({});
    const renamed = await c.rename(`${c.collectionName}_renamed`);
    const listed = await database.listCollections({ name: renamed.collectionName }).toArray();
    expect(listed).toMatchObject([{ name: renamed.collectionName, type: "collection" }]);
    expect(await renamed.drop()).toBe(true);
  });

  test("watched", async () => {
    const c = fresh();
    await c.insertOne({ seed: 1 });
    await orRefused(async () => {
      const stream = c.watch([], { maxAwaitTimeMS: 500 });
      try {
        await stream.tryNext();
        await c.insertOne({ x: 42 });
        expect(await stream.next()).toMatchObject({ operationType: "insert", fullDocument: { x: 42 } });
      } finally {
        await stream.close();
      }
    });
  });
});
