import assert from "node:assert/strict";
import { contentHash, type SchemaSnapshot, type Table } from "../_shared/schema-snapshot.ts";
import { createSchemaStore, type SchemaIntelligence } from "./schema-store.ts";
import { snapshotOf, tableOf } from "./schema-testing.ts";
import { test, type TestStore, withStore } from "./testing.ts";

const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const connection = crypto.randomUUID();

const withSchema = (work: (store: SchemaIntelligence, tools: TestStore) => Promise<void>) =>
  withStore((tools) => work(createSchemaStore(tools.documents), tools));

const customers = (more: Partial<Table> = {}) => tableOf("customers", ["id:int", "emailAddress:text"], more);
const orders = (columns = ["id:int", "customer_id:int", "total:numeric(10,2)"]) =>
  tableOf("order_lines", columns);

test("a snapshot is kept when something changed, beside what changed", () =>
  withSchema(async (store) => {
    const first = await store.save(acme, connection.toUpperCase(), await snapshotOf([customers(), orders()]));
    assert.deepEqual(first.changes, []);
    const same = await store.save(acme, connection, await snapshotOf([customers({ rows: 99 }), orders()]));
    assert.deepEqual(same, { snapshot_id: first.snapshot_id, changes: [] });
    const second = await store.save(
      acme,
      connection,
      await snapshotOf([orders(["id:bigint"]), tableOf("new", ["a:int"])]),
    );
    assert.notEqual(second.snapshot_id, first.snapshot_id);
    assert.deepEqual(second.changes.map(({ change, table }) => `${change} ${table}`), [
      "table_removed customers",
      "table_added new",
      "column_changed order_lines",
      "column_removed order_lines",
      "column_removed order_lines",
    ]);
    const list = await store.list(acme, connection, { limit: 10 });
    assert.deepEqual(list.map(({ number, tables, columns, changes }) => [number, tables, columns, changes]), [
      [2, 2, 2, 5],
      [1, 2, 5, 0],
    ]);
    assert.deepEqual(await store.list(acme, connection, { limit: 10, before: 2 }), [list[1]]);
    assert.deepEqual(await store.diff(acme, connection, 1, "latest"), second.changes);
    assert.equal((await store.get(acme, connection, 1)).snapshot.tables.length, 2);
    assert.equal((await store.get(acme, connection, "latest")).summary.number, 2);
    await assert.rejects(store.get(acme, connection, 3), { code: "schema_not_found" });
    await assert.rejects(store.get(globex, connection, 1), { code: "schema_not_found" });
  }));

test("of snapshots saved at once each has its number, and the tables are the last one's", () =>
  withSchema(async (store, { another }) => {
    const processes = [store, createSchemaStore(another())];
    const taken = await Promise.all(
      Array.from(
        { length: 8 },
        async (_, n) =>
          processes[n % 2]?.save(acme, connection, await snapshotOf([tableOf(`t${n}`, ["id:int"])])),
      ),
    );
    assert.equal(new Set(taken.map((each) => each?.snapshot_id)).size, 8);
    const list = await store.list(acme, connection, { limit: 10 });
    assert.deepEqual(list.map(({ number }) => number), [8, 7, 6, 5, 4, 3, 2, 1]);
    const { snapshot } = await store.get(acme, connection, "latest");
    for (let n = 0; n < 8; n++) {
      const found = await store.search(acme, { search: `t${n}`, limit: 10 });
      assert.deepEqual(
        found.map(({ table }) => table),
        snapshot.tables.map(({ name }) => name).filter((name) => name === `t${n}`),
      );
    }
  }));

test("the latest 50 snapshots are kept", () =>
  withSchema(async (store) => {
    for (let n = 0; n < 53; n++) {
      await store.save(acme, connection, await snapshotOf([tableOf(`t${n}`, ["id:int"])]));
    }
    const list = await store.list(acme, connection, { limit: 100 });
    assert.deepEqual([list.length, list[0]?.number, list.at(-1)?.number], [50, 53, 4]);
  }));

test("tables and columns are found by words of names, comments and descriptions", () =>
  withSchema(async (store) => {
    await store.save(acme, connection, await snapshotOf([customers({ comment: "Who pays us" }), orders()]));
    await store.save(globex, connection, await snapshotOf([tableOf("customers", ["secret:text"])]));
    const search = async (search: string) =>
      (await store.search(acme, { search, limit: 10 })).map(({ table, columns }) =>
        [table, ...columns].join(" ")
      );
    assert.deepEqual((await search("customer")).sort(), ["customers", "order_lines customer_id"]);
    assert.deepEqual(await search("Lines tot"), ["order_lines total"]);
    assert.deepEqual(await search("address"), ["customers emailAddress"], "a word inside of a name");
    assert.deepEqual(await search("pays"), ["customers"]);
    assert.deepEqual(await search("secret"), []);
    assert.deepEqual(await search("..."), []);
    await store.annotate(acme, connection, {
      ...place,
      column: "emailAddress",
      description: "Where mail goes",
      pii: true,
    });
    assert.deepEqual(await search("mail goes"), ["customers emailAddress"]);
    assert.deepEqual(await search("address goes"), ["customers emailAddress"]);
    const other = await store.search(acme, {
      search: "customers",
      connection_id: crypto.randomUUID(),
      limit: 10,
    });
    assert.deepEqual(other, []);
    await store.save(acme, connection, await snapshotOf([orders()]));
    assert.deepEqual(await search("pays"), [], "what is gone is not found");
    assert.deepEqual(await search("mail goes"), []);
  }));

const place = { schema: "public", table: "customers" };

test("what people say stays when the schema changes, and is there when the table comes back", () =>
  withSchema(async (store) => {
    const said = { ...place, column: "emailAddress", description: "Private", pii: true };
    await assert.rejects(store.annotate(acme, connection, said), { code: "schema_not_found" });
    await store.save(acme, connection, await snapshotOf([customers()]));
    const [a, b] = await Promise.all([
      store.annotate(acme, connection, { ...said, by: "ada" }),
      store.annotate(acme, connection, { ...said, by: "ada" }),
    ]);
    assert.equal(a?._id, b?._id, "there is one");
    await store.annotate(acme, connection, { ...place, description: "Who pays", pii: false });
    await assert.rejects(store.annotate(acme, connection, { ...said, column: "none" }), {
      code: "schema_not_found",
    });
    await assert.rejects(store.annotate(globex, connection, said), { code: "schema_not_found" });

    await store.save(acme, connection, await snapshotOf([orders()]));
    await assert.rejects(store.table(acme, connection, place), { code: "schema_not_found" });
    assert.equal((await store.annotated(acme, connection, { limit: 10 })).length, 2);
    await store.save(acme, connection, await snapshotOf([customers({ comment: "back" })]));
    const { table, annotations } = await store.table(acme, connection, place);
    assert.equal(table.comment, "back");
    assert.deepEqual(annotations.map(({ column, description, pii }) => [column, description, pii]), [
      ["", "Who pays", false],
      ["emailAddress", "Private", true],
    ]);
    assert.equal(await store.annotate(acme, connection, { ...said, description: "", pii: false }), undefined);
    assert.equal((await store.annotated(acme, connection, { limit: 10 })).length, 1);
    assert.equal((await store.annotated(globex, connection, { limit: 10 })).length, 0);
    assert.ok(await store.forget(acme, connection) > 3);
    assert.equal((await store.list(acme, connection, { limit: 10 })).length, 0);
  }));

test("a schema of 2,000 tables and 50,000 columns is kept, and one change in it costs one table", () =>
  withSchema(async (store) => {
    const columns = Array.from({ length: 25 }, (_, n) => `column_${n}:int`);
    const all = Array.from({ length: 2000 }, (_, n) => tableOf(`table_${n}`, columns));
    await store.save(acme, connection, await snapshotOf(all));
    const { changes } = await store.save(
      acme,
      connection,
      await snapshotOf(all.with(7, tableOf("table_7", ["x:int"]))),
    );
    assert.equal(changes.length, 27);
    assert.deepEqual((await store.search(acme, { search: "x", limit: 10 })).map(({ table }) => table), [
      "table_7",
    ]);
  }));

test("the hash is what the format says", async () => {
  const { content_hash, ...rest }: SchemaSnapshot = await snapshotOf([customers()]);
  assert.equal(content_hash, await contentHash(rest));
});
