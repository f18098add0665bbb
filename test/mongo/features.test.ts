// What Nectar's stores lean on, beyond the basics.
import type { Document } from "mongodb";
import { describe, expect, test } from "vitest";
import { client, database, fresh, orRefused, refused } from "./support.ts";

const withoutId = { projection: { _id: 0 } };

describe("text search", () => {
  async function notes() {
    const c = fresh();
    await c.createIndex(
      { org: 1, title: "text", body: "text" },
      { default_language: "none", weights: { title: 5 } },
    );
    await c.insertMany([
      { org: 1, title: "Monthly report", body: "sales by region", n: 1 },
      { org: 1, title: "Übersicht", body: "the monthly report, and another report", n: 2 },
      { org: 1, title: "Inventory", body: ["cafe chairs", "tables"], n: 3 },
      { org: 2, title: "Monthly report", body: "of somebody else", n: 4 },
    ]);
    return (search: string, org = 1) =>
      c
        .find({ org, $text: { $search: search } }, withoutId)
        .toArray()
        .then((found) => found.map(({ n }) => n).sort());
  }

  test("finds any of the words, without case and marks, within what stands before it in the index", async () => {
    const find = await notes();
    expect(await find("REPORT")).toEqual([1, 2]);
    expect(await find("ubersicht inventory")).toEqual([2, 3]);
    expect(await find("café")).toEqual([3]);
    expect(await find("report", 2)).toEqual([4]);
    expect(await find("repor")).toEqual([]);
    expect(await find("")).toEqual([]);
  });

  test("knows phrases and what must not be there", async () => {
    const find = await notes();
    expect(await find('"by region"')).toEqual([1]);
    expect(await find("report -region")).toEqual([2]);
    expect(await find('report -"another report"')).toEqual([1]);
  });

  test("scores: heavier fields and more of the words come first", async () => {
    const score = { score: { $meta: "textScore" } } as const;
    const c = fresh();
    await c.createIndex({ title: "text", body: "text" }, { default_language: "none", weights: { title: 5 } });
    await c.insertMany([
      { n: 1, title: "other", body: "report" },
      { n: 2, title: "report", body: "other" },
      { n: 3, title: "report", body: "report" },
    ]);
    const all = await c
      .find({ $text: { $search: "report" } })
      .project({ n: 1, ...score })
      .sort(score)
      .toArray();
    expect(all.map(({ n }) => n)).toEqual([3, 2, 1]);
    expect(all[2]?.["score"]).toBeCloseTo(1.1);
  });

  test("needs its index, and what stands before it", async () => {
    await refused(
      fresh()
        .find({ $text: { $search: "x" } })
        .toArray(),
      27,
    );
    const c = fresh();
    await c.createIndex({ org: 1, t: "text" }, { default_language: "none" });
    await expect(c.find({ $text: { $search: "x" } }).toArray()).rejects.toMatchObject({
      code: expect.any(Number),
    });
    await expect(c.createIndex({ u: "text" }, { default_language: "none" })).rejects.toMatchObject({
      code: 67,
    });
  });
});

describe("indexes", () => {
  const stages = (plan: Document): string[] => [
    plan["stage"],
    ...[plan["inputStage"], ...(plan["inputStages"] ?? [])].flatMap((inner) => (inner ? stages(inner) : [])),
  ];

  test("are gone through, for equality, ranges and order", async () => {
    const c = fresh();
    await c.createIndex({ org: 1, at: -1 });
    await c.createIndex({ s: 1 }, { partialFilterExpression: { active: true } });
    await c.insertMany([1, 2, 3].map((at) => ({ org: 1, at, s: at, active: true })));
    const plan = async (filter: Document, sort: Document = {}) => {
      const { queryPlanner } = await c.find(filter).sort(sort).explain("queryPlanner");
      return stages(queryPlanner.winningPlan.queryPlan ?? queryPlanner.winningPlan);
    };
    expect(await plan({ org: 1 }, { at: -1 })).toEqual(["FETCH", "IXSCAN"]);
    expect(await plan({ org: 1 }, { at: 1 })).toEqual(["FETCH", "IXSCAN"]);
    expect(await plan({ org: 1, at: { $gt: 1 } })).toEqual(["FETCH", "IXSCAN"]);
    expect(await plan({ org: { $in: [1, 2] } })).toEqual(["FETCH", "IXSCAN"]);
    expect(await plan({ s: 1, active: true })).toEqual(["FETCH", "IXSCAN"]);
    expect(await plan({ s: 1 })).toEqual(["COLLSCAN"]);
    expect(await plan({ at: 1 }, { s: 1 })).toContain("SORT");
  });

  test("are listed as they were made, and made again without effect", async () => {
    const c = fresh();
    const specs = [
      { key: { a: 1 }, name: "unique_a", unique: true },
      { key: { b: -1 }, name: "sparse_b", sparse: true },
      { key: { c: 1 }, name: "some_c", partialFilterExpression: { c: { $gt: 5 } } },
      { key: { at: 1 }, name: "ttl", expireAfterSeconds: 60 },
    ];
    for (const _ of [1, 2]) await c.createIndexes(specs);
    const listed = await c.listIndexes().toArray();
    expect(listed).toEqual([
      { v: 2, key: { _id: 1 }, name: "_id_" },
      ...specs.map((spec) => ({ v: 2, ...spec })),
    ]);
    await database.command({ collMod: c.collectionName, index: { name: "ttl", expireAfterSeconds: 90 } });
    expect((await c.indexes()).at(-1)).toMatchObject({ expireAfterSeconds: 90 });
    await refused(c.dropIndex("nosuch"), 27);
    await c.dropIndexes();
    expect(await c.indexes()).toHaveLength(1);
  });

  test("sparse and unique: many documents without, one with", async () => {
    const c = fresh();
    await c.createIndex({ email: 1 }, { unique: true, sparse: true });
    await c.insertMany([{}, {}, { email: "a" }]);
    await refused(c.insertOne({ email: "a" }), 11000);
    expect(await c.countDocuments({ email: null })).toBe(2);
  });

  test("unique over the elements of arrays, but not within one document", async () => {
    const c = fresh();
    await c.createIndex({ tags: 1 }, { unique: true });
    await c.insertOne({ tags: ["a", "b", "a"] });
    await refused(c.insertOne({ tags: ["c", "b"] }), 11000);
    await refused(c.insertOne({ tags: "a" }), 11000);
    await c.insertOne({ tags: ["c"] });
    await c.updateOne({ tags: "c" }, { $push: { tags: "d" } as never });
    await c.deleteOne({ tags: "a" });
    await c.insertOne({ tags: ["a"] });
  });
});

describe("cursors", () => {
  test("are closed by whoever has enough, and are then gone", async () => {
    const c = fresh();
    await c.insertMany(Array.from({ length: 300 }, (_, i) => ({ i })));
    const cursor = c.find().batchSize(50);
    await cursor.next();
    const { id } = cursor;
    await cursor.close();
    await refused(database.command({ getMore: id, collection: c.collectionName }), 43);
    expect(await c.find().limit(120).batchSize(50).toArray()).toHaveLength(120);
    expect(await c.find().limit(-20).toArray()).toHaveLength(20);
    expect(await c.aggregate([{ $match: {} }], { batchSize: 7 }).toArray()).toHaveLength(300);
  });

  test("show each document once and as it was, though others write meanwhile", async () => {
    const c = fresh();
    await c.createIndex({ i: 1 });
    await c.insertMany(Array.from({ length: 300 }, (_, i) => ({ i })));
    const seen: number[] = [];
    for await (const { i } of c
      .find({ i: { $gte: 0 } })
      .sort({ i: 1 })
      .batchSize(100)) {
      seen.push(i);
      if (i < 300) await c.updateOne({ i }, { $inc: { i: 1_000 } });
    }
    expect(new Set(seen).size).toBeGreaterThanOrEqual(300);
  });
});

describe("validators", () => {
  const schema = { bsonType: "object", required: ["n"], properties: { n: { bsonType: "int", minimum: 1 } } };

  test("hold for updates, replacements and upserts too", async () => {
    const name = "strict";
    const c = await database.createCollection<Document>(name, {
      validator: { $jsonSchema: schema, m: { $ne: 5 } },
    });
    await c.insertOne({ n: 1 });
    await refused(c.updateOne({ n: 1 }, { $set: { n: 0 } }), 121);
    await refused(c.replaceOne({ n: 1 }, { m: 1 }), 121);
    await refused(c.updateOne({ n: 1 }, { $set: { m: 5 } }), 121);
    await refused(c.findOneAndUpdate({ x: 1 }, { $set: { y: 1 } }, { upsert: true }), 121);
    const [{ options } = { options: {} }] = (await database
      .listCollections({ name })
      .toArray()) as Document[];
    expect(options).toEqual({ validator: { $jsonSchema: schema, m: { $ne: 5 } } });
  });

  test("moderate ones leave alone what was wrong before", async () => {
    const c = fresh();
    await c.insertMany([{ old: 1 }, { n: 1 }]);
    const change = {
      collMod: c.collectionName,
      validator: { $jsonSchema: schema },
      validationLevel: "moderate",
    };
    await database.command(change);
    await c.updateOne({ old: 1 }, { $set: { old: 2 } });
    await refused(c.updateOne({ n: 1 }, { $set: { n: 0 } }), 121);
    await refused(c.insertOne({ old: 3 }), 121);
    await database.command({ collMod: c.collectionName, validationAction: "warn" });
    await c.insertOne({ old: 3 });
  });

  test("that are none are refused", async () => {
    await expect(
      database.createCollection("none", { validator: { $jsonSchema: { foo: 1 } } }),
    ).rejects.toMatchObject({
      code: 9,
    });
  });
});

describe("commands", () => {
  test("run only for as long as they may", async () => {
    const c = fresh();
    await c.insertMany(Array.from({ length: 5_000 }, (_, i) => ({ i, s: "x".repeat(100) })));
    const slow = { $expr: { $gt: [{ $strLenCP: { $concat: ["$s", "$s", "$s"] } }, 1_000] } };
    await refused(
      c.find({ $and: Array.from({ length: 50 }, () => ({ $nor: [slow] })) }, { maxTimeMS: 1 }).toArray(),
      50,
    );
  });

  test("in a session, a snapshot outside of a transaction", async () => {
    const c = fresh();
    await c.insertOne({ a: 1 });
    await orRefused(() =>
      client.withSession({ snapshot: true }, async (session) => {
        expect(await c.find({}, { session }).toArray()).toHaveLength(1);
      }),
    );
  });

  test("tell of collections and databases", async () => {
    const c = fresh();
    await c.insertMany([{ s: "x" }, { s: "y" }]);
    expect(await database.command({ collStats: c.collectionName })).toMatchObject({ count: 2, nindexes: 1 });
    const stats = await database.command({ dbStats: 1 });
    expect(stats["objects"]).toBeGreaterThanOrEqual(2);
    const { databases } = await database.admin().listDatabases();
    expect(databases.map(({ name }) => name)).toContain(database.databaseName);
  });

  test("the array's element that a query found, projected", async () => {
    const c = fresh();
    await c.insertOne({ a: [1, 5, 9] });
    expect(await c.findOne({ a: { $gt: 4 } }, { projection: { _id: 0, "a.$": 1 } })).toEqual({ a: [5] });
  });
});
