import { z } from "@hono/zod-openapi";
import { Cron } from "croner";

/** Schedules run no more often. */
export const MIN_INTERVAL_SECONDS = 300;

export const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

const template = z.string().max(300).regex(
  /^(\/|(\/([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]{0,62}\}))+)$/,
  "expected a path like /orders/{order_id}",
).refine((path) => !/\/\.{1,2}(\/|$)/.test(path), "a path without . and .. segments");

const cron = z.string().max(100).superRefine((pattern, context) => {
  const problem = problemOfCron(pattern);
  if (problem) context.addIssue(problem);
});

const timezone = z.string().max(60).refine((name) => {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}, "expected a time zone like Europe/Paris");

export const trigger = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("http"), method: z.enum(methods), path: template }),
  z.strictObject({
    type: z.literal("schedule"),
    cron: cron.openapi({ description: "Five fields, at least 5 minutes between two runs." }),
    timezone: timezone.optional().openapi({ description: "Default UTC." }),
  }),
]).openapi("WorkflowTrigger");

export type Trigger = z.infer<typeof trigger>;

/** The names in a path template, in their order. */
export const templateNames = (path: string): string[] =>
  Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = ""]) => name);

/**
 * What a route claims: the names in it do not tell two routes apart. Undefined for schedules.
 *
 * @example `GET /orders/{order_id}` claims `GET /orders/{}`
 */
export function routeOf(given: Trigger): string | undefined {
  return given.type === "http" ? `${given.method} ${given.path.replace(/\{\w+\}/g, "{}")}` : undefined;
}

// Two runs that are close are close within the first hundreds of any pattern of five fields.
const LOOKED_AT = 300;
const SINCE = new Date("2024-01-01T00:00:00Z");

function problemOfCron(pattern: string): string | undefined {
  if (pattern.trim().split(/\s+/).length !== 5) {
    return "expected five fields: minute, hour, day, month, weekday";
  }
  let runs: Date[];
  try {
    const job = new Cron(pattern, { paused: true, timezone: "UTC" });
    runs = job.nextRuns(LOOKED_AT, SINCE);
    job.stop();
  } catch {
    return "expected five fields like 0 6 * * 1";
  }
  if (runs.length === 0) return "this time never comes";
  const shortest = Math.min(...runs.slice(1).map((run, at) => run.getTime() - (runs[at]?.getTime() ?? 0)));
  if (shortest < MIN_INTERVAL_SECONDS * 1000) return "two runs are at least 5 minutes apart";
}
