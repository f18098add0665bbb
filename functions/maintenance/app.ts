import { createRoute } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { describeError, type Log, logToConsole } from "../_shared/log.ts";
import { errorResponses } from "../_shared/responses.ts";
import { createBackend } from "./backend.ts";
import type { Consumer } from "./consumer.ts";
import { drain } from "./drain.ts";
import type { Job } from "./jobs.ts";
import { type JobReport, type OutboxReport, report, type Task } from "./schemas.ts";

export interface MaintenanceOptions {
  consumers: readonly Consumer[];
  jobs?: readonly Job[];
  /** Most milliseconds until no further batch is begun. Default 20,000. */
  budgetMs?: number;
  /** Milliseconds since 1970. */
  clock?: () => number;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createBackend;
}

const LEASE_SECONDS = 120;

export function createApp(
  {
    consumers,
    jobs = [],
    budgetMs = 20_000,
    clock = Date.now,
    log = logToConsole,
    keys,
    connect = createBackend,
  }: MaintenanceOptions,
): FunctionApp {
  const app = createFunction({ name: "maintenance", log, clock });

  const route = createRoute({
    method: "post",
    path: "/",
    operationId: "runMaintenance",
    tags: ["maintenance"],
    summary: "Does what must happen in time",
    description:
      "Partitions ahead, expired invitations, purges, and what other stores must hear of them. Call it " +
      "every quarter of an hour where pg_cron does not; calls that overlap do no harm. A task that fails is told in " +
      "the report, and the others still run.",
    security: [{ secretKey: [] }],
    middleware: [authenticate("secret", keys)] as const,
    responses: {
      200: {
        description: "What was done, and what failed.",
        content: { "application/json": { schema: report } },
      },
      ...errorResponses("missing_credentials", "invalid_api_key", "database_unavailable"),
    },
  });

  app.openapi(route, async (c) => {
    const deadline = clock() + budgetMs;
    const timeIsUp = () => clock() >= deadline;
    const onFailure = (kind: string, error: unknown) =>
      log({
        level: "warn",
        request_id: c.var.requestId,
        function: "maintenance",
        kind,
        error: describeError(error),
      });

    const admin = c.var.supabaseContext.supabaseAdmin;
    const backend = connect(admin, c.var.requestId);
    const results = await backend.runTasks();
    const tasks = Object.entries(results ?? {}).map(([name, result]) => taskOf(name, result));
    const outbox: OutboxReport[] = [];
    for (const consumer of consumers) {
      outbox.push(
        await drain(consumer, { backend, admin, timeIsUp, leaseSeconds: LEASE_SECONDS, onFailure }),
      );
    }
    const done: JobReport[] = [];
    for (const { name, ready, run } of jobs) {
      const nothing = { name, count: 0 };
      const attempt = async () => ready() ? await run(admin, timeIsUp) : { status: "waiting" as const };
      const result = await attempt().catch((error: unknown) => onFailure(name, error));
      done.push({ ...nothing, ...(result ?? { status: "failed" as const }) });
    }
    const failed = [...tasks, ...outbox, ...done].some(({ status }) => status === "failed");
    c.header("cache-control", "no-store");
    return c.json({
      status: failed ? "degraded" as const : "ok" as const,
      skipped: results === undefined,
      tasks,
      outbox,
      jobs: done,
    }, 200);
  });
  return app;
}

function taskOf(name: string, result: unknown): Task {
  if (typeof result === "number") return { name, status: "done", count: result };
  const sqlstate = String(result).match(/^failed: (\w{5})$/)?.[1];
  return { name, status: "failed", ...(sqlstate && { sqlstate }) };
}
