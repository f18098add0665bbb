import { z } from "@hono/zod-openapi";
import type { SnapshotSummary } from "../_documents/schema-store.ts";
import type { Annotation } from "../_documents/schemas.ts";
import { columnSchema, foreignKeySchema, indexSchema } from "../_shared/schema-snapshot.ts";
import { uuid } from "../_shared/validation.ts";
import { workflowDefinition } from "../_workflows/workflow.ts";

const time = z.iso.datetime();
const name = z.string().max(256);
const next_cursor = z.string().nullable().openapi({
  description: "Where the next page begins; null after the last.",
});
export const dbName = z.string().min(1).max(256).regex(/^[^\p{Cc}\p{Cs}]*$/u, "expected a name");

export const ofConnection = z.object({ organization_id: uuid, connection_id: uuid });
export const version = z.coerce.number().int().min(1).max(1_000_000_000);

const summaryShape = {
  id: uuid,
  connection_id: uuid,
  number: z.int(),
  content_hash: z.string(),
  engine: z.enum(["mssql", "postgres", "mysql"]),
  database: z.string(),
  tables: z.int(),
  columns: z.int(),
  truncated: z.boolean(),
  changes: z.int().openapi({ description: "Differences to the snapshot before." }),
  taken_at: time,
  seen_at: time.openapi({ description: "When it was last found to be so still." }),
};
export const snapshotSummary = z.object(summaryShape).openapi("SchemaSnapshotSummary");
export const snapshotPage = z.object({ snapshots: z.array(snapshotSummary), next_cursor }).openapi(
  "SchemaSnapshotPage",
);

const table = z.object({
  schema: name,
  name,
  kind: z.enum(["table", "view"]),
  comment: z.string().nullable(),
  rows: z.int().nullable(),
  columns: z.array(columnSchema),
  primary_key: z.array(name),
  foreign_keys: z.array(foreignKeySchema),
  indexes: z.array(indexSchema),
}).openapi("DatabaseTable");

export const snapshot = z.object({ ...summaryShape, schemas: z.array(name), content: z.array(table) })
  .openapi(
    "SchemaSnapshot",
  );

export const changes = z.object({
  changes: z.array(
    z.object({
      change: z.string().openapi({ example: "column_added" }),
      schema: name,
      table: name,
    }).loose(),
  ).max(10_000),
}).openapi("SchemaChanges");

export const annotation = z.object({
  schema: name,
  table: name,
  column: name.nullable().openapi({ description: "Null: of the table itself." }),
  description: z.string().nullable(),
  pii: z.boolean().openapi({ description: "Personal data: left out of what is suggested." }),
  updated_by: z.string().nullable(),
  updated_at: time,
}).openapi("SchemaAnnotation");

export const annotationInput = z.strictObject({
  schema: dbName,
  table: dbName,
  column: dbName.nullish(),
  description: z.string().trim().max(4000).regex(/^[^\0\p{Cs}]*$/u, "text with NUL or half a character")
    .nullish(),
  pii: z.boolean().default(false),
}).openapi("SchemaAnnotationInput", { description: "Without description and pii it is deleted." });

export const annotationPage = z.object({ annotations: z.array(annotation), next_cursor }).openapi(
  "SchemaAnnotationPage",
);
export const annotated = z.object({ annotation: annotation.nullable() }).openapi("SchemaAnnotated");
export const annotatedTable = z.object({ table, annotations: z.array(annotation) }).openapi("AnnotatedTable");

export const found = z.object({
  tables: z.array(z.object({
    connection_id: uuid,
    schema: name,
    table: name,
    kind: z.enum(["table", "view"]),
    columns: z.array(name).openapi({ description: "Those in which one of the words is found." }),
  })),
}).openapi("SchemaFound");

export const suggestions = z.object({
  suggestions: z.array(z.object({
    kind: z.enum(["list", "get", "by_key"]),
    name: z.string(),
    slug: z.string(),
    definition: workflowDefinition,
  })),
}).openapi("EndpointSuggestions");

export const summaryOf = (
  { _id, taken_at, seen_at, ...given }: Omit<SnapshotSummary, "organization_id">,
): z.infer<typeof snapshotSummary> => ({
  id: _id,
  connection_id: given.connection_id,
  number: given.number,
  content_hash: given.content_hash,
  engine: given.engine,
  database: given.database,
  tables: given.tables,
  columns: given.columns,
  truncated: given.truncated,
  changes: given.changes,
  taken_at: taken_at.toISOString(),
  seen_at: seen_at.toISOString(),
});

export const annotationOf = (given: Annotation): z.infer<typeof annotation> => ({
  schema: given.schema,
  table: given.table,
  column: given.column || null,
  description: given.description ?? null,
  pii: given.pii,
  updated_by: given.updated_by ?? null,
  updated_at: given.updated_at.toISOString(),
});
