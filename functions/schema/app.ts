import { createRoute, z } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import { fromCursor, toCursor } from "../_documents/cursor.ts";
import type { SchemaIntelligence } from "../_documents/schema-store.ts";
import { suggestEndpoints } from "../_documents/suggest-endpoints.ts";
import { type RecordActivity, recordNothing } from "../_shared/activity.ts";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import type { Log } from "../_shared/log.ts";
import { createPermissions } from "../_shared/permissions.ts";
import { recordChanges } from "../_shared/record-changes.ts";
import { errorResponses } from "../_shared/responses.ts";
import { uuid } from "../_shared/validation.ts";
import {
  annotated,
  annotatedTable,
  annotationInput,
  annotationOf,
  annotationPage,
  changes,
  dbName,
  found,
  ofConnection,
  snapshot,
  snapshotPage,
  suggestions,
  summaryOf,
  version,
} from "./schemas.ts";

export interface SchemaOptions {
  schema: SchemaIntelligence;
  recordActivity?: RecordActivity;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createPermissions;
}

const refusals = [
  "validation_failed",
  "missing_credentials",
  "invalid_token",
  "not_permitted",
  "database_unavailable",
  "mongodb_unavailable",
] as const;
const answer = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { "application/json": { schema } },
});
const page = {
  limit: z.coerce.number().int().min(1).max(100).default(25),
  cursor: z.string().max(300).optional(),
};
const ofTable = z.object({ schema: dbName, table: dbName });
/** What a page of differences may hold. */
const MOST_CHANGES = 10_000;

export function createApp(
  { schema: store, recordActivity = recordNothing, log, keys, connect = createPermissions }: SchemaOptions,
): FunctionApp {
  const app = createFunction({ name: "schema", ...(log && { log }) });
  app.use(recordChanges("schema", recordActivity));
  const forPeople = {
    tags: ["schema"],
    security: [{ userToken: [], publishableKey: [] }],
    middleware: [authenticate("user", keys)] as [ReturnType<typeof authenticate>],
  };

  const search = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/search",
    operationId: "searchSchema",
    summary: "Tables and columns by words of their names, comments and descriptions",
    request: {
      params: z.object({ organization_id: uuid }),
      query: z.object({
        search: z.string().min(1).max(200),
        connection_id: uuid.optional(),
        limit: page.limit,
      }),
    },
    responses: {
      200: answer("In the latest snapshot of each connection.", found),
      ...errorResponses(...refusals),
    },
  });
  app.openapi(search, async (c) => {
    const { organization_id } = c.req.valid("param");
    await require(c, organization_id);
    return c.json({ tables: await store.search(organization_id, c.req.valid("query")) }, 200);
  });

  const list = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{connection_id}/snapshots",
    operationId: "listSchemaSnapshots",
    summary: "How a connection's database looked, the latest first",
    request: { params: ofConnection, query: z.object(page) },
    responses: { 200: answer("One page.", snapshotPage), ...errorResponses(...refusals) },
  });
  app.openapi(list, async (c) => {
    const { organization_id, connection_id } = c.req.valid("param");
    const { limit, cursor } = c.req.valid("query");
    await require(c, organization_id);
    const before = cursor === undefined
      ? undefined
      : fromCursor(cursor, z.object({ before: z.int() })).before;
    const found = await store.list(organization_id, connection_id, { limit, before });
    const last = found.length === limit ? found.at(-1) : undefined;
    const next_cursor = last ? toCursor({ before: last.number }) : null;
    return c.json({ snapshots: found.map(summaryOf), next_cursor }, 200);
  });

  const get = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{connection_id}/snapshots/{number}",
    operationId: "getSchemaSnapshot",
    summary: "A snapshot with all its tables",
    request: {
      params: ofConnection.extend({ number: z.union([z.literal("latest"), version]) }),
    },
    responses: { 200: answer("The snapshot.", snapshot), ...errorResponses(...refusals, "schema_not_found") },
  });
  app.openapi(get, async (c) => {
    const { organization_id, connection_id, number } = c.req.valid("param");
    await require(c, organization_id);
    const { summary, snapshot } = await store.get(organization_id, connection_id, number);
    return c.json({ ...summaryOf(summary), schemas: snapshot.schemas, content: snapshot.tables }, 200);
  });

  const compare = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{connection_id}/diff",
    operationId: "diffSchemaSnapshots",
    summary: "What changed from one snapshot to another",
    request: {
      params: ofConnection,
      query: z.object({ from: version, to: z.union([z.literal("latest"), version]).default("latest") }),
    },
    responses: {
      200: answer("At most 10,000 differences.", changes),
      ...errorResponses(...refusals, "schema_not_found"),
    },
  });
  app.openapi(compare, async (c) => {
    const { organization_id, connection_id } = c.req.valid("param");
    const { from, to } = c.req.valid("query");
    await require(c, organization_id);
    const all = await store.diff(organization_id, connection_id, from, to);
    return c.json({ changes: all.slice(0, MOST_CHANGES) }, 200);
  });

  const table = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{connection_id}/table",
    operationId: "getSchemaTable",
    summary: "A table as it looks now, with what people say of it",
    request: { params: ofConnection, query: ofTable },
    responses: {
      200: answer("The table.", annotatedTable),
      ...errorResponses(...refusals, "schema_not_found"),
    },
  });
  app.openapi(table, async (c) => {
    const { organization_id, connection_id } = c.req.valid("param");
    await require(c, organization_id);
    const { table, annotations } = await store.table(organization_id, connection_id, c.req.valid("query"));
    return c.json({ table, annotations: annotations.map(annotationOf) }, 200);
  });

  const suggest = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{connection_id}/suggestions",
    operationId: "suggestEndpoints",
    summary: "Drafts of workflows that a table's keys suggest",
    description: "Columns that are marked as personal data are left out.",
    request: { params: ofConnection, query: ofTable },
    responses: {
      200: answer("Each can be given to createWorkflow as it is.", suggestions),
      ...errorResponses(...refusals, "schema_not_found"),
    },
  });
  app.openapi(suggest, async (c) => {
    const { organization_id, connection_id } = c.req.valid("param");
    await require(c, organization_id);
    const { table, annotations } = await store.table(organization_id, connection_id, c.req.valid("query"));
    const [latest] = await store.list(organization_id, connection_id, { limit: 1 });
    const personal = new Set(annotations.flatMap(({ column, pii }) => pii && column ? [column] : []));
    const whole = annotations.some(({ column, pii }) => pii && column === "");
    const made = latest && !whole ? suggestEndpoints(latest.engine, connection_id, table, personal) : [];
    return c.json({ suggestions: made }, 200);
  });

  const said = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{connection_id}/annotations",
    operationId: "listSchemaAnnotations",
    summary: "What people say of tables and columns, also of those that are gone",
    request: { params: ofConnection, query: z.object(page) },
    responses: { 200: answer("One page.", annotationPage), ...errorResponses(...refusals) },
  });
  app.openapi(said, async (c) => {
    const { organization_id, connection_id } = c.req.valid("param");
    const { limit, cursor } = c.req.valid("query");
    await require(c, organization_id);
    const after = cursor === undefined ? undefined : fromCursor(cursor, z.object({ after: uuid })).after;
    const found = await store.annotated(organization_id, connection_id, { limit, after });
    const last = found.length === limit ? found.at(-1) : undefined;
    const next_cursor = last ? toCursor({ after: last._id }) : null;
    return c.json({ annotations: found.map(annotationOf), next_cursor }, 200);
  });

  const say = createRoute({
    ...forPeople,
    method: "put",
    path: "/{organization_id}/{connection_id}/annotations",
    operationId: "annotateSchema",
    summary: "Describes a table or a column, and marks personal data",
    description: "It stays when the schema changes.",
    request: {
      params: ofConnection,
      body: { required: true, content: { "application/json": { schema: annotationInput } } },
    },
    responses: {
      200: answer("As it is now; null when it was deleted.", annotated),
      ...errorResponses(...refusals, "malformed_body", "payload_too_large", "schema_not_found"),
    },
  });
  app.openapi(say, async (c) => {
    const { organization_id, connection_id } = c.req.valid("param");
    const { column, description, ...input } = c.req.valid("json");
    await require(c, organization_id, "schema.write");
    c.set("objectId", connection_id);
    const made = await store.annotate(organization_id, connection_id, {
      ...input,
      column: column ?? undefined,
      description: description ?? undefined,
      by: c.var.supabaseContext.userClaims?.id,
    });
    return c.json({ annotation: made ? annotationOf(made) : null }, 200);
  });

  type UserContext = Parameters<Parameters<typeof app.openapi<typeof list>>[1]>[0];
  async function require(
    c: Pick<UserContext, "set" | "header" | "var">,
    organizationId: string,
    permission = "schema.read",
  ) {
    c.set("organizationId", organizationId);
    c.header("cache-control", "no-store");
    await connect(c.var.supabaseContext.supabase, c.var.requestId).require(organizationId, permission);
  }
  return app;
}
