import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffSnapshots } from "../../functions/_shared/schema-diff.ts";
import { contentHash, type SchemaSnapshot, type Table } from "../../functions/_shared/schema-snapshot.ts";

const column = (name: string, type = "int") => ({
  name,
  type,
  nullable: true,
  default: null,
  comment: null,
  generated: false,
});

const table = (name: string, changes: Partial<Table> = {}): Table => ({
  schema: "shop",
  name,
  kind: "table",
  comment: null,
  rows: 0,
  columns: [column("id")],
  primary_key: ["id"],
  foreign_keys: [],
  indexes: [],
  ...changes,
});

const snapshot = (tables: Table[], truncated = false): SchemaSnapshot => ({
  format: "nectar.schema/1",
  engine: "postgres",
  server: { product: "PostgreSQL", version: "17", edition: null },
  database: "shop",
  schemas: ["shop"],
  tables,
  truncated,
  content_hash: "0".repeat(64),
});

describe("diffSnapshots", () => {
  it("names what was added, removed and changed, with both sides", () => {
    const before = snapshot([
      table("a", { columns: [column("id"), column("gone")], comment: "old" }),
      table("b", { primary_key: ["id"], indexes: [{ name: "b_id", columns: ["id"], unique: false }] }),
      table("c"),
    ]);
    const after = snapshot([
      table("a", { columns: [column("id", "bigint"), column("new")], comment: null }),
      table("b", { primary_key: ["id", "x"], indexes: [{ name: "b_id", columns: ["id"], unique: true }] }),
      table("d", { kind: "view" }),
    ]);
    const at = (table: string) => ({ schema: "shop", table });
    expect(diffSnapshots(before, after)).toEqual([
      { change: "table_changed", ...at("a"), property: "comment", from: "old", to: null },
      { change: "column_changed", ...at("a"), name: "id", from: column("id"), to: column("id", "bigint") },
      { change: "column_removed", ...at("a"), name: "gone", from: column("gone") },
      { change: "column_added", ...at("a"), name: "new", to: column("new") },
      { change: "primary_key_changed", ...at("b"), name: "primary_key", from: ["id"], to: ["id", "x"] },
      {
        change: "index_changed",
        ...at("b"),
        name: "b_id",
        from: { name: "b_id", columns: ["id"], unique: false },
        to: { name: "b_id", columns: ["id"], unique: true },
      },
      { change: "table_removed", ...at("c"), kind: "table" },
      { change: "table_added", ...at("d"), kind: "view" },
    ]);
  });

  it("estimates are no change, and neither is the order of keys", async () => {
    const before = snapshot([table("a", { rows: 1 })]);
    const after = snapshot([table("a", { rows: 9 })]);
    const stored = JSON.parse(JSON.stringify(after), (_, value) =>
      value && typeof value === "object" && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).reverse())
        : value,
    );
    expect(diffSnapshots(before, stored)).toEqual([]);
    expect(await contentHash(before)).toBe(await contentHash(stored));
  });

  it("what a truncated snapshot left out was not removed", () => {
    const all = snapshot([table("a"), table("b")]);
    const some = snapshot([table("a")], true);
    expect(diffSnapshots(all, some)).toEqual([]);
    expect(diffSnapshots(some, all)).toEqual([]);
    expect(diffSnapshots(all, snapshot([table("a")]))).toHaveLength(1);
  });

  it("differs exactly when the hash does, and backwards it is the mirror", async () => {
    const names = fc.uniqueArray(fc.constantFrom("a", "b c", "b", "__proto__", "constructor", "d.e"), {
      maxLength: 4,
    });
    const tables = names.chain((chosen) =>
      fc.tuple(
        ...chosen
          .toSorted()
          .map((name) =>
            fc
              .uniqueArray(fc.constantFrom("id", "x", "__proto__"), { maxLength: 3 })
              .map((columns) => table(name, { columns: columns.toSorted().map((each) => column(each)) })),
          ),
      ),
    );
    await fc.assert(
      fc.asyncProperty(tables, tables, async (left, right) => {
        const [before, after] = [snapshot(left), snapshot(right)];
        const there = diffSnapshots(before, after);
        const equal = (await contentHash(before)) === (await contentHash(after));
        expect(there.length === 0).toBe(equal);
        expect(diffSnapshots(after, before)).toHaveLength(there.length);
      }),
    );
  });
});
