import assert from "node:assert/strict";
import { z } from "zod";
import { AppError } from "../_shared/errors.ts";
import { defineCollection, stored } from "./definition.ts";
import { isDuplicate } from "./tenant-collection.ts";
import { test, withStore } from "./testing.ts";
import { absent, anyOf, atLeast, beginsWith, oneOf } from "./where.ts";

const things = defineCollection({
  name: "things",
  version: 1,
  schema: stored.extend({
    name: z.string().max(20),
    size: z.number().int().min(0),
    tags: z.array(z.string()).max(3).optional(),
    seen_at: z.date().optional(),
  }),
  indexes: [{ name: "thing_name", key: { organization_id: 1, name: 1 }, unique: true }],
});
const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const withThings: typeof withStore = (work) => withStore(work, [things]);

test("an organization reads, changes and deletes its own documents only", () =>
  withThings(async ({ documents }) => {
    const at = <T>(organization: string, work: Parameters<typeof documents.run<T>>[1]) =>
      documents.run(organization, work);
    for (const organization of [acme, globex]) {
      await at(organization, async (tenant) => {
        const mine = tenant.collection(things);
        await mine.insert({ _id: `${organization}-1`, name: "one", size: 1, tags: ["a", "b"] });
        assert.equal(
          await mine.insertMany([
            { _id: `${organization}-2`, name: "two", size: 2 },
            { _id: `${organization}-1`, name: "again", size: 3 },
          ]),
          1,
        );
      });
    }
    await at(globex, async (tenant) => {
      const mine = tenant.collection(things);
      const theirs = { _id: `${acme}-1` };
      assert.equal(await mine.findOne(theirs), undefined);
      assert.deepEqual(await mine.find(theirs, { limit: 9 }), []);
      assert.equal(await mine.count({}), 2);
      assert.equal(await mine.count({}, 1), 1);
      assert.equal(await mine.change(theirs, { set: { name: "stolen" } }), undefined);
      assert.equal(await mine.changeAll({ size: atLeast(0) }, { increment: { size: 10 } }), 2);
      assert.equal(await mine.remove(theirs), undefined);
      assert.equal(await mine.removeAll(theirs), 0);
      assert.deepEqual(
        await mine.find([{ tags: "a" }, anyOf({ name: beginsWith("o") }, { name: "x" })], {
          limit: 9,
          fields: ["name"],
        }),
        [{ _id: `${globex}-1`, organization_id: globex, name: "one" }],
      );
      assert.equal(await mine.count({ seen_at: absent(), name: oneOf(["one", "two"]) }), 2);
    });
    await at(acme, async (tenant) => {
      const found = await tenant.collection(things).find({}, { limit: 9, sort: { name: -1 } });
      assert.deepEqual(found.map(({ name, size }) => [name, size]), [["two", 2], ["one", 1]]);
      assert.deepEqual(await tenant.collection(things).totals({}, { sum: ["size"] }), [
        { key: null, count: 2, sums: { size: 3 } },
      ]);
    });
  }));

test("the tenant of what is written is the caller's, whatever the document says", () =>
  withThings(async ({ documents }) => {
    const forged = { _id: "f", name: "forged", size: 1, organization_id: acme };
    await documents.run(globex, (tenant) => tenant.collection(things).insert(forged));
    assert.equal(await documents.run(acme, (tenant) => tenant.collection(things).count({})), 0);
    await assert.rejects(
      documents.run(globex, (tenant) => tenant.collection(things).change({ _id: "f" }, { set: forged })),
      { code: "validation_failed" },
    );
  }));

test("a foreign document that comes out all the same is an error, not an answer", () =>
  withThings(async ({ documents, mongo, lines }) => {
    await documents.run(acme, (tenant) => tenant.collection(things).insert({ _id: "1", name: "a", size: 1 }));
    // A database that answers with what was not asked for.
    const find = () => ({
      toArray: () => Promise.resolve([{ _id: "1", organization_id: acme, name: "a", size: 1 }]),
    });
    const { tenantCollection } = await import("./tenant-collection.ts");
    await mongo.run(async (database) => {
      const broken = {
        collection: () => ({ ...database.collection("things"), find }),
      } as unknown as typeof database;
      const mine = tenantCollection(
        { database: broken, organizationId: globex, log: (line) => void lines.push(line) },
        things,
      );
      await assert.rejects(
        mine.find({}, { limit: 1 }),
        (error) => error instanceof AppError && error.code === "internal",
      );
    });
    assert.equal(lines.at(-1)?.["event"], "foreign_document");
  }));

test("uniqueness and the validator hold in the database", () =>
  withThings(async ({ documents }) => {
    await documents.run(acme, async (tenant) => {
      const mine = tenant.collection(things);
      await mine.insert({ _id: "1", name: "a", size: 1 });
      await assert.rejects(
        mine.insert({ _id: "2", name: "a", size: 1 }),
        (error) => isDuplicate(error, "thing_name") && !isDuplicate(error, "other"),
      );
      for (
        const wrong of [{ name: "x".repeat(21) }, { size: -1 }, { size: "1" }, { other: 1 }, {
          seen_at: "now",
        }]
      ) {
        await assert.rejects(mine.insert({ _id: "3", name: "b", size: 1, ...wrong } as never), {
          code: "validation_failed",
        });
      }
      const made = await mine.change({ _id: "4" }, { set: { name: "c" }, setOnInsert: { size: 5 } }, {
        upsert: true,
      });
      assert.deepEqual(made, { _id: "4", organization_id: acme, name: "c", size: 5 });
    });
  }));

test("a transaction is all or nothing", () =>
  withThings(async ({ documents }) => {
    const failing = documents.transaction(acme, async (tenant) => {
      await tenant.collection(things).insert({ _id: "1", name: "a", size: 1 });
      throw new Error("in between");
    });
    await assert.rejects(failing, /in between/);
    await documents.transaction(acme, async (tenant) => {
      const mine = tenant.collection(things);
      assert.equal(await mine.count({}), 0);
      await mine.insert({ _id: "1", name: "a", size: 1 });
      await mine.change({ _id: "1" }, { increment: { size: 1 } });
    });
    assert.equal(
      (await documents.run(acme, (tenant) => tenant.collection(things).findOne({ _id: "1" })))?.size,
      2,
    );
    const twice = documents.transaction(acme, (tenant) =>
      tenant.collection(things).insertMany([
        { _id: "2", name: "b", size: 1 },
        { _id: "1", name: "again", size: 1 },
      ]));
    await assert.rejects(twice, { code: 11000 }, "after a duplicate MongoDB goes on with no transaction");
    assert.equal(await documents.run(acme, (tenant) => tenant.collection(things).count({})), 1);
  }));

test("an organization's id is a UUID, in one spelling", () =>
  withThings(async ({ documents }) => {
    for (const id of ["acme", "", { $ne: null }, undefined]) {
      await assert.rejects(documents.run(id as string, () => Promise.resolve()), {
        code: "validation_failed",
      });
    }
    await documents.run(
      acme.toUpperCase(),
      (tenant) => tenant.collection(things).insert({ _id: "1", name: "a", size: 1 }),
    );
    assert.equal(await documents.run(acme, (tenant) => tenant.collection(things).count({})), 1);
  }));

test("an index that does not begin with the organization cannot be declared", () => {
  assert.throws(
    () => defineCollection({ ...things, indexes: [{ name: "by_name", key: { name: 1 } }] }),
    /does not begin with organization_id/,
  );
});

const receipts = defineCollection({
  name: "receipts",
  version: 1,
  writtenOnce: true,
  schema: stored.extend({ total: z.number() }),
  indexes: [],
});

test("what is written once is not changed, whoever asks", () =>
  withStore(({ documents }) =>
    documents.run(acme, async (tenant) => {
      const kept = tenant.collection(receipts);
      await kept.insert({ _id: "a", total: 1 });
      const change = { set: { total: 2 } };
      await assert.rejects(kept.change({ _id: "a" }, change), TypeError);
      await assert.rejects(kept.change({ _id: "b" }, change, { upsert: true }), TypeError);
      await assert.rejects(kept.changeAll({}, change), TypeError);
      assert.equal((await kept.findOne({ _id: "a" }))?.total, 1);
    }), [receipts]));
