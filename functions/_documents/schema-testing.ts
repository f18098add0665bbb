import { contentHash, type SchemaSnapshot, type Table } from "../_shared/schema-snapshot.ts";

/** A table whose columns are said as `name:type`; the first is its key. */
export function tableOf(name: string, columns: string[], more: Partial<Table> = {}): Table {
  const parts = columns.map((column) => column.split(":"));
  return {
    schema: "public",
    name,
    kind: "table",
    comment: null,
    rows: null,
    columns: parts.map(([column = "", type = ""]) => ({
      name: column,
      type,
      nullable: false,
      default: null,
      comment: null,
      generated: false,
    })),
    primary_key: [parts[0]?.[0] ?? ""],
    foreign_keys: [],
    indexes: [],
    ...more,
  };
}

export async function snapshotOf(
  tables: Table[],
  engine: SchemaSnapshot["engine"] = "postgres",
): Promise<SchemaSnapshot> {
  const content = { engine, database: "shop", schemas: ["public"], tables, truncated: false };
  return {
    format: "nectar.schema/1",
    ...content,
    server: { product: "PostgreSQL", version: "17.0", edition: null },
    content_hash: await contentHash(content),
  };
}
