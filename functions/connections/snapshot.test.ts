import assert from "node:assert/strict";
import { schemaSnapshotSchema } from "../_shared/schema-snapshot.ts";
import { ConnectionFailure } from "./failures.ts";
import { assembleSnapshot, type CatalogueRows } from "./introspection/assemble.ts";

const described = {
  engine: "postgres" as const,
  server: { product: "PostgreSQL", version: "17", edition: null },
  database: "shop",
};
const limits = { tables: 3, columns: 5, bytes: 4096 };
const table = { schema: "public", name: "a", kind: "table", comment: null, rows: "1" };
const rowsOf = (rows: Partial<CatalogueRows>): CatalogueRows => ({
  ...{ schemas: [{ name: "public" }], tables: [table], columns: [], indexes: [], foreignKeys: [] },
  ...rows,
});

Deno.test("whatever a server says of itself, a snapshot keeps to its schema and its limits", async () => {
  const long = "x".repeat(100_000);
  const column = { schema: "public", table: "a", name: long, type: long, default: long, comment: "\ud800" };
  const many = <T>(row: T) => Array.from({ length: 1000 }, () => row);
  const snapshot = await assembleSnapshot(
    { ...described, database: long },
    rowsOf({ tables: many(table), columns: many(column), schemas: many({ name: long }) }),
    limits,
  );
  schemaSnapshotSchema.parse(snapshot);
  assert.equal(snapshot.truncated, true);
  assert.ok(JSON.stringify(snapshot).length < 3 * limits.bytes);
  assert.ok(JSON.stringify(snapshot).isWellFormed());
  const strange = { schema: {}, name: ["a"], kind: 7, comment: { toString: () => "b" }, rows: -1 };
  const odd = await assembleSnapshot(described, rowsOf({ tables: [strange] }), limits);
  assert.deepEqual([odd.tables[0]?.kind, odd.tables[0]?.rows], ["table", null]);
});

Deno.test("a table that was not read to its end is left out, whichever part of it is missing", async () => {
  const tables = ["a", "b", "c"].map((name) => ({ ...table, name }));
  const to = { to_schema: "public", to_table: "a", to_column: "x" };
  const part = (table: string, n: number) => ({
    schema: "public",
    table,
    name: `${table}${n}`,
    column: "x",
    ...to,
  });
  const parts = [1, 2, 3].flatMap((n) => [part("a", n), part("b", n)]).sort((x, y) =>
    x.name < y.name ? -1 : 1
  );
  for (const list of ["columns", "indexes", "foreignKeys"] as const) {
    const snapshot = await assembleSnapshot(described, rowsOf({ tables, [list]: parts }), limits);
    assert.deepEqual(snapshot.tables.map(({ name }) => name), ["a"], list);
    assert.equal(snapshot.truncated, true);
    const all = await assembleSnapshot(described, rowsOf({ tables, [list]: parts.slice(1) }), limits);
    assert.deepEqual([all.tables.length, all.truncated], [3, false]);
  }
});

Deno.test("a table without a name is no table: such a server is not believed", async () => {
  for (
    const rows of [
      { tables: [{ ...table, name: "" }] },
      { schemas: [{ name: null }] },
      { columns: [{ schema: "public", table: "a" }] },
      { indexes: [{ schema: "public", table: "a" }] },
    ]
  ) {
    await assert.rejects(
      assembleSnapshot(described, rowsOf(rows), limits),
      (error) => error instanceof ConnectionFailure && error.code === "unsupported_server",
    );
  }
});
