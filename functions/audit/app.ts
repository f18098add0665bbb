import { createRoute, z } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { describeError, type Log, logToConsole } from "../_shared/log.ts";
import { errorResponses } from "../_shared/responses.ts";
import { createBackend } from "./backend.ts";
import { exportStream, PAGE } from "./export-stream.ts";
import { formats } from "./formats.ts";
import { uuid } from "../_shared/validation.ts";

export interface AuditOptions {
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createBackend;
}

const time = z.iso.datetime({ offset: true }).optional();

export function createApp({ log = logToConsole, keys, connect = createBackend }: AuditOptions): FunctionApp {
  const app = createFunction({ name: "audit", log });

  const route = createRoute({
    method: "get",
    path: "/{organization_id}/export",
    operationId: "exportAuditLog",
    tags: ["audit"],
    summary: "The audit log as a file",
    description:
      "Streams the entries in order, hashes in hex; the last one is this export's own. Needs `audit.read`. " +
      "A file that breaks off is not complete: ask again.",
    security: [{ userToken: [], publishableKey: [] }],
    middleware: [authenticate("user", keys)] as const,
    request: {
      params: z.object({ organization_id: uuid }),
      query: z.object({
        format: z.enum(["ndjson", "csv"]).default("ndjson"),
        from: time.openapi({ description: "What happened at this time or later." }),
        to: time.openapi({ description: "What happened before this time." }),
      }),
    },
    responses: {
      200: {
        description: "One entry a line.",
        content: {
          "application/x-ndjson": { schema: z.string() },
          "text/csv": { schema: z.string() },
        },
      },
      ...errorResponses(
        "validation_failed",
        "missing_credentials",
        "invalid_token",
        "not_permitted",
        "database_unavailable",
      ),
    },
  });

  app.openapi(route, async (c) => {
    const { organization_id: organizationId } = c.req.valid("param");
    const { format: name, from, to } = c.req.valid("query");
    c.set("organizationId", organizationId);
    const { requestId } = c.var;
    const range = { organizationId, from, to };
    const backend = connect(c.var.supabaseContext.supabase, requestId);

    // Up to the export's own entry: what is written meanwhile is for the next one.
    const upTo = await backend.logExport(range, name);
    const format = formats[name];
    const stream = await exportStream(async (after, signal) => {
      try {
        return await backend.page(range, after, upTo, PAGE, signal);
      } catch (error) {
        const details = describeError(error);
        if (after > 0 && !signal.aborted) {
          log({ level: "error", request_id: requestId, function: "audit", error: details });
        }
        throw error;
      }
    }, format);
    return c.body(stream, 200, {
      "content-type": format.contentType,
      "content-disposition": `attachment; filename="audit-${organizationId}.${name}"`,
      "cache-control": "no-store",
    }) as never;
  });
  return app;
}
