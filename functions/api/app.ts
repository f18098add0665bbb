import { createRoute } from "@hono/zod-openapi";
import { type RecordActivity, recordNothing } from "../_shared/activity.ts";
import { withApiKey } from "../_shared/api-key.ts";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import type { Decisions } from "../_shared/decisions.ts";
import type { Leases } from "../_shared/lease.ts";
import type { Log } from "../_shared/log.ts";
import { recordCalls } from "../_shared/record-calls.ts";
import { apiKeyErrors, errorResponses } from "../_shared/responses.ts";
import { pong } from "./schemas.ts";
import { addUsageRoute, type IngestUsage } from "./usage.ts";

export interface ApiOptions {
  decisions: Decisions;
  ingest: IngestUsage;
  /** Decides in memory, on budget taken in advance. */
  leases?: Leases;
  recordActivity?: RecordActivity;
  log?: Log;
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** Instead of `CLIENT_IP_HEADER`. */
  ipHeader?: string;
}

/** The data plane: what tenants' own programs call, with an API key. */
export function createApp(
  { decisions, ingest, leases, ipHeader, recordActivity = recordNothing, ...options }: ApiOptions,
): FunctionApp {
  const app = createFunction({ name: "api", ...options });
  const key = { decisions, ...(leases && { leases }), ...(ipHeader && { ipHeader }) };
  app.use(recordCalls("api", recordActivity));

  const ping = createRoute({
    method: "get",
    path: "/ping",
    operationId: "ping",
    tags: ["api"],
    summary: "Tells whose API key this is",
    description: "Counts as one request. A way to try a key, and to see what is left of its limits.",
    security: [{ apiKey: [] }],
    middleware: [withApiKey({ ...key, scope: "applications.read", metric: "api_requests" })] as const,
    responses: {
      200: { description: "The key is good.", content: { "application/json": { schema: pong } } },
      ...errorResponses(...apiKeyErrors),
    },
  });
  app.openapi(ping, (c) => {
    const caller = c.var.apiKey;
    c.header("cache-control", "no-store");
    return c.json({
      organization_id: caller.organizationId,
      application_id: caller.applicationId,
      key_id: caller.keyId,
      environment: caller.environment,
    }, 200);
  });

  addUsageRoute(app, key, ingest);
  return app;
}
