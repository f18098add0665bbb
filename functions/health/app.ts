import { createRoute } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { isServer, recognizeServer } from "../_shared/auth.ts";
import { describeError, type Log, logToConsole } from "../_shared/log.ts";
import { errorResponses } from "../_shared/responses.ts";
import { version } from "../_shared/version.ts";
import { checkDependencies, type MonitoredDependency } from "./dependencies.ts";
import { health } from "./schemas.ts";

export interface HealthOptions {
  dependencies: readonly MonitoredDependency[];
  /** Most milliseconds for each dependency. Default 3,000. */
  budgetMs?: number;
  /** Milliseconds since 1970. */
  clock?: () => number;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
}

export function createApp(
  { dependencies, budgetMs = 3000, clock = Date.now, log = logToConsole, keys }: HealthOptions,
): FunctionApp {
  const app = createFunction({ name: "health", log, clock });
  const answer = (description: string) => ({
    description,
    content: { "application/json": { schema: health } },
  });

  const route = createRoute({
    method: "get",
    path: "/",
    operationId: "getHealth",
    tags: ["health"],
    summary: "Whether the backend works",
    description:
      "Answers at once whether functions run. With a secret key in `apikey` it also checks what they stand on.",
    security: [{}, { secretKey: [] }],
    middleware: [recognizeServer(keys)] as const,
    responses: {
      200: answer("It works. `degraded` when something optional is down."),
      503: answer("Something the backend cannot do without is down."),
      ...errorResponses("invalid_api_key"),
    },
  });

  app.openapi(route, async (c) => {
    c.header("cache-control", "no-store");
    if (!isServer(c.var.supabaseContext)) return c.json({ status: "ok" as const, version }, 200);

    const onFailure = (name: string, error: unknown) =>
      log({
        level: "warn",
        request_id: c.var.requestId,
        function: "health",
        dependency: name,
        error: describeError(error),
      });
    const states = await checkDependencies(dependencies, { budgetMs, clock, onFailure });
    const isDown = (name: string) => states.some((state) => state.name === name && state.status === "down");
    const broken = dependencies.some(({ name, required }) => required && isDown(name));
    const status = dependencies.some(({ name }) => isDown(name)) ? "degraded" as const : "ok" as const;
    return c.json({ status, version, dependencies: states }, broken ? 503 : 200);
  });
  return app;
}
