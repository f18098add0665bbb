import { createRoute, z } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import type { ActivityEntry } from "../_documents/activity-entries.ts";
import { type ActivityStore, timeOf } from "../_documents/activity-store.ts";
import { fromCursor, toCursor } from "../_documents/cursor.ts";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import type { Log } from "../_shared/log.ts";
import { createPermissions } from "../_shared/permissions.ts";
import { errorResponses } from "../_shared/responses.ts";
import { uuid } from "../_shared/validation.ts";

export interface ActivityOptions {
  activity: ActivityStore;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createPermissions;
}

const time = z.iso.datetime({ offset: true }).optional();
const id = z.string().min(1).max(200).optional();

const entry = z.object({
  id: uuid,
  at: z.iso.datetime(),
  actor_kind: z.enum(["user", "api_key", "server"]),
  actor_id: z.string().nullable(),
  action: z.string().openapi({ example: "workflows.publish" }),
  object_kind: z.string().nullable(),
  object_id: z.string().nullable(),
  request_id: z.string().nullable(),
  details: z.record(z.string(), z.unknown()).nullable(),
}).openapi("ActivityEntry");

const page = z.object({
  entries: z.array(entry),
  next_cursor: z.string().nullable().openapi({
    description: "Where the next page begins; null after the last.",
  }),
}).openapi("ActivityPage");

export function createApp(
  { activity, log, keys, connect = createPermissions }: ActivityOptions,
): FunctionApp {
  const app = createFunction({ name: "activity", ...(log && { log }) });

  const route = createRoute({
    method: "get",
    path: "/{organization_id}",
    operationId: "listActivity",
    tags: ["activity"],
    summary: "What people, keys and servers did, the newest first",
    description:
      "For as long as the plan keeps it. The audit log tells of changes in the database, and is kept.",
    security: [{ userToken: [], publishableKey: [] }],
    middleware: [authenticate("user", keys)] as const,
    request: {
      params: z.object({ organization_id: uuid }),
      query: z.object({
        limit: z.coerce.number().int().min(1).max(500).default(50),
        cursor: z.string().max(300).optional(),
        actor_id: id,
        object_id: id,
        from: time.openapi({ description: "From this time on." }),
        to: time.openapi({ description: "Before this time." }),
      }),
    },
    responses: {
      200: { description: "One page.", content: { "application/json": { schema: page } } },
      ...errorResponses(
        "validation_failed",
        "missing_credentials",
        "invalid_token",
        "not_permitted",
        "database_unavailable",
        "mongodb_unavailable",
      ),
    },
  });
  app.openapi(route, async (c) => {
    const { organization_id } = c.req.valid("param");
    const { limit, cursor, from, to, ...by } = c.req.valid("query");
    c.set("organizationId", organization_id);
    c.header("cache-control", "no-store");
    const before = cursor === undefined ? undefined : fromCursor(cursor, z.object({ before: uuid })).before;
    await connect(c.var.supabaseContext.supabase, c.var.requestId).require(organization_id, "activity.read");
    const found = await activity.list(organization_id, {
      ...by,
      limit,
      before,
      from: from === undefined ? undefined : Date.parse(from),
      to: to === undefined ? undefined : Date.parse(to),
    });
    const last = found.length === limit ? found.at(-1) : undefined;
    return c.json({
      entries: found.map(entryOf),
      next_cursor: last ? toCursor({ before: last._id }) : null,
    }, 200);
  });
  return app;
}

const entryOf = (given: ActivityEntry): z.infer<typeof entry> => ({
  id: given._id,
  at: new Date(timeOf(given._id)).toISOString(),
  actor_kind: given.actor_kind,
  actor_id: given.actor_id ?? null,
  action: given.action,
  object_kind: given.object_kind ?? null,
  object_id: given.object_id ?? null,
  request_id: given.request_id ?? null,
  details: given.details === undefined ? null : JSON.parse(given.details),
});
