import { z } from "zod";

/** What an introspected database looks like, in one form for every engine: `nectar.schema/1`. */

/** A name as the database has it. */
const name = z.string().min(1).max(256);
const text = z.string().max(4096);

export const columnSchema = z.strictObject({
  name,
  /** As the engine writes it: `nvarchar(50)`, `numeric(10,2)`. */
  type: z.string().max(1024),
  nullable: z.boolean(),
  default: text.nullable(),
  comment: text.nullable(),
  /** Identity, auto increment or serial. */
  generated: z.boolean(),
});

export const foreignKeySchema = z.strictObject({
  name,
  columns: z.array(name),
  schema: name,
  table: name,
  references: z.array(name),
});

export const indexSchema = z.strictObject({ name, columns: z.array(name), unique: z.boolean() });

export const tableSchema = z.strictObject({
  schema: name,
  name,
  kind: z.enum(["table", "view"]),
  comment: text.nullable(),
  /** The engine's own estimate; null where it has none. */
  rows: z.number().int().nonnegative().nullable(),
  columns: z.array(columnSchema),
  primary_key: z.array(name),
  foreign_keys: z.array(foreignKeySchema),
  /** Sorted by name, without the primary key's own. Expressions in an index have no column. */
  indexes: z.array(indexSchema),
});

export const serverSchema = z.strictObject({
  /** What people call it: `Microsoft SQL Server`, `PostgreSQL`, `MySQL`, `MariaDB`. */
  product: z.string().max(100),
  /** Digits and dots first; at most 100 characters, printable. */
  version: z.string().max(100),
  edition: z.string().max(200).nullable(),
});

export const schemaSnapshotSchema = z.strictObject({
  format: z.literal("nectar.schema/1"),
  engine: z.enum(["mssql", "postgres", "mysql"]),
  server: serverSchema,
  database: z.string().max(256),
  /** Sorted. */
  schemas: z.array(name),
  /** Sorted by schema and name. */
  tables: z.array(tableSchema),
  /** True when a limit was reached and something was left out. */
  truncated: z.boolean(),
  /** SHA-256 of what a person would call the schema: row estimates and the server's version do not change it. */
  content_hash: z.string().regex(/^[0-9a-f]{64}$/),
});

export type Column = z.infer<typeof columnSchema>;
export type ForeignKey = z.infer<typeof foreignKeySchema>;
export type Index = z.infer<typeof indexSchema>;
export type Table = z.infer<typeof tableSchema>;
export type SchemaSnapshot = z.infer<typeof schemaSnapshotSchema>;

/** The order of names everywhere in a snapshot: by code unit, the same on every machine. */
export const byName = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;

/** Identifies what a snapshot says of the schema: equal hashes, equal schemas. Key order does not matter. */
export async function contentHash(
  { engine, database, schemas, tables, truncated }: Pick<
    SchemaSnapshot,
    "engine" | "database" | "schemas" | "tables" | "truncated"
  >,
): Promise<string> {
  const content = {
    engine,
    database,
    schemas,
    tables: tables.map(({ rows: _, ...table }) => table),
    truncated,
  };
  const sorted = JSON.stringify(
    content,
    (_, value) =>
      value !== null && typeof value === "object" && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => byName(a, b)))
        : value,
  );
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(sorted));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
