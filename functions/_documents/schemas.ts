import { z } from "zod";
import { defineCollection, stored } from "./definition.ts";

const id = z.string().max(36);
const count = z.number().int().min(0);
const name = z.string().max(256);

/** What a connection's database looked like at a time: written once, and again only when it has changed. */
export const schemaSnapshots = defineCollection({
  name: "schema_snapshots",
  version: 1,
  schema: stored.extend({
    connection_id: id,
    /** Of this connection, from 1. */
    number: z.number().int().min(1),
    content_hash: z.string().min(64).max(64),
    engine: z.enum(["mssql", "postgres", "mysql"]),
    database: name,
    tables: count,
    columns: count,
    truncated: z.boolean(),
    /** JSON text: nectar.schema/1. */
    snapshot: z.string().max(8 * 1024 * 1024),
    /** How many differences there are to the one before. */
    changes: count,
    taken_at: z.date(),
    /** When it was last found to be so still. */
    seen_at: z.date(),
  }),
  indexes: [
    { name: "schema_snapshot", key: { organization_id: 1, connection_id: 1, number: 1 }, unique: true },
  ],
});
export type StoredSnapshot = z.infer<typeof schemaSnapshots.schema>;

/** The tables of each connection's latest snapshot, as they are searched. */
export const schemaTables = defineCollection({
  name: "schema_tables",
  version: 1,
  schema: stored.extend({
    connection_id: id,
    schema: name,
    table: name,
    /** Of its own and its columns' names, and its comment. */
    words: z.array(z.string().max(40)).max(5000),
    /** JSON text: the table as the snapshot has it. */
    content: z.string().max(4 * 1024 * 1024),
  }),
  indexes: [
    {
      name: "schema_table",
      key: { organization_id: 1, connection_id: 1, schema: 1, table: 1 },
      unique: true,
    },
    { name: "schema_words", key: { organization_id: 1, words: 1 } },
  ],
});
export type StoredTable = z.infer<typeof schemaTables.schema>;

/** What people know of a table, or of a column: it stays when the schema changes. */
export const schemaAnnotations = defineCollection({
  name: "schema_annotations",
  version: 1,
  schema: stored.extend({
    connection_id: id,
    schema: name,
    table: name,
    /** Empty: of the table itself. */
    column: name,
    description: z.string().max(4000).optional(),
    /** Personal data. */
    pii: z.boolean(),
    words: z.array(z.string().max(40)).max(200),
    updated_by: z.string().max(36).optional(),
    updated_at: z.date(),
  }),
  indexes: [
    {
      name: "schema_annotation",
      key: { organization_id: 1, connection_id: 1, schema: 1, table: 1, column: 1 },
      unique: true,
    },
    { name: "schema_annotation_words", key: { organization_id: 1, words: 1 } },
  ],
});
export type Annotation = z.infer<typeof schemaAnnotations.schema>;
