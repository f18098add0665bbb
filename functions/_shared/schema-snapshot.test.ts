import assert from "node:assert/strict";
import { contentHash, type SchemaSnapshot, schemaSnapshotSchema } from "./schema-snapshot.ts";

const snapshot: SchemaSnapshot = {
  format: "nectar.schema/1",
  engine: "mysql",
  server: { product: "MariaDB", version: "11.4", edition: null },
  database: "shop",
  schemas: ["shop"],
  tables: [{
    schema: "shop",
    name: "orders",
    kind: "table",
    comment: null,
    rows: 7,
    columns: [{ name: "id", type: "int", nullable: false, default: null, comment: null, generated: true }],
    primary_key: ["id"],
    foreign_keys: [],
    indexes: [],
  }],
  truncated: false,
  content_hash: "0".repeat(64),
};

Deno.test("a snapshot is what its schema says, and nothing beside it", () => {
  assert.deepEqual(schemaSnapshotSchema.parse(snapshot), snapshot);
  for (
    const wrong of [
      { ...snapshot, format: "nectar.schema/2" },
      { ...snapshot, password: "canary" },
      { ...snapshot, content_hash: "short" },
      { ...snapshot, tables: [{ ...snapshot.tables[0], rows: -1 }] },
    ]
  ) assert.equal(schemaSnapshotSchema.safeParse(wrong).success, false);
});

Deno.test("the hash is of the schema alone: not of estimates, the server's version, or itself", async () => {
  const hash = await contentHash(snapshot);
  assert.match(hash, /^[0-9a-f]{64}$/);
  const [orders] = snapshot.tables;
  assert.ok(orders);
  const newer = { ...snapshot, server: { ...snapshot.server, version: "12" }, content_hash: hash };
  assert.equal(await contentHash({ ...newer, tables: [{ ...orders, rows: 8 }] }), hash);
  assert.notEqual(await contentHash({ ...snapshot, tables: [{ ...orders, primary_key: [] }] }), hash);
  assert.notEqual(await contentHash({ ...snapshot, truncated: true }), hash);
});
