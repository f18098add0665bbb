import assert from "node:assert/strict";
import { z } from "zod";
import { defineCollection, stored } from "./definition.ts";
import { ensureCollections } from "./ensure-collections.ts";
import { test, withStore } from "./testing.ts";

const first = defineCollection({
  name: "things",
  version: 1,
  schema: stored.extend({ name: z.string() }),
  indexes: [{ name: "thing_name", key: { organization_id: 1, name: 1 }, unique: true }],
});
const second = defineCollection({
  ...first,
  version: 2,
  schema: stored.extend({ name: z.string(), size: z.number().optional() }),
  indexes: [...first.indexes, { name: "expiry", key: { size: 1 }, expireAfterSeconds: 3600 }],
});
const organization_id = crypto.randomUUID();

test("processes that start at once apply a version once, and none goes on before it holds", () =>
  withStore(async ({ mongo }) => {
    await mongo.run(async (database) => {
      const ensure = async () => {
        const changed = await ensureCollections(database, { definitions: [first], pauseMs: 5 });
        const { length } = await database.collection("things").listIndexes().toArray();
        assert.equal(length, 2);
        return changed;
      };
      const changed = await Promise.all(Array.from({ length: 20 }, ensure));
      assert.equal(changed.filter((count) => count === 1).length, 1);
      assert.equal(await ensure(), 0);
    });
  }, []));

test("a later version is applied to what is there, and an earlier process does not undo it", () =>
  withStore(async ({ mongo }) => {
    await mongo.run(async (database) => {
      await ensureCollections(database, { definitions: [first] });
      const things = database.collection("things");
      const sized = { organization_id, name: "a", size: 1 };
      await assert.rejects(things.insertOne({ _id: "1" as never, ...sized }), { code: 121 });
      assert.equal(await ensureCollections(database, { definitions: [second] }), 1);
      await things.insertOne({ _id: "1" as never, ...sized });
      assert.equal(await ensureCollections(database, { definitions: [first] }), 0);
      await things.insertOne({ _id: "2" as never, ...sized, name: "b" });
      assert.equal((await things.listIndexes().toArray()).length, 3);
    });
  }, []));

test("an index that a later version has otherwise, or under another name, is made anew", () =>
  withStore(async ({ mongo }) => {
    await mongo.run(async (database) => {
      await ensureCollections(database, { definitions: [second] });
      const third = defineCollection({
        ...second,
        version: 3,
        indexes: [
          { name: "thing_label", key: { organization_id: 1, name: 1 } },
          { name: "expiry", key: { size: 1 }, expireAfterSeconds: 60 },
        ],
      });
      assert.equal(await ensureCollections(database, { definitions: [third] }), 1);
      const indexes = await database.collection("things").indexes();
      assert.deepEqual(indexes.map(({ name }) => name).sort(), ["_id_", "expiry", "thing_label"]);
      assert.equal(indexes.find(({ name }) => name === "expiry")?.expireAfterSeconds, 60);
      assert.equal(indexes.find(({ name }) => name === "thing_label")?.unique, undefined);
    });
  }, []));

test("who cannot apply a version says so, and holds nobody up", () =>
  withStore(async ({ mongo }) => {
    await mongo.run(async (database) => {
      await database.collection("things").insertMany([{ organization_id, name: "a" }, {
        organization_id,
        name: "a",
      }]);
      let now = Date.now();
      const ensure = () =>
        ensureCollections(database, { definitions: [first], pauseMs: 1, clock: () => now += 1000 });
      const begun = now;
      for (let turn = 0; turn < 2; turn++) await assert.rejects(ensure(), { code: 11000 });
      assert.ok(now - begun < 30_000, "nobody waited for a claim to be over");
    });
  }, []));

test("a process that died while applying holds nobody up for ever", () =>
  withStore(async ({ mongo }) => {
    await mongo.run(async (database) => {
      const died = { _id: "things", version: 0, claimed_until: new Date(Date.now() - 1) };
      await database.collection<typeof died>("nectar_collections").insertOne(died);
      assert.equal(await ensureCollections(database, { definitions: [first] }), 1);
      assert.equal((await database.collection("things").listIndexes().toArray()).length, 2);
    });
  }, []));
