import { createRoute } from "@hono/zod-openapi";
import { type ApiKeyOptions, withApiKey } from "../_shared/api-key.ts";
import type { FunctionApp } from "../_shared/app.ts";
import { databaseError } from "../_shared/database-errors.ts";
import { AppError } from "../_shared/errors.ts";
import type { Postgres } from "../_shared/postgres.ts";
import { apiKeyErrors, errorResponses } from "../_shared/responses.ts";
import { usageBatch, type UsageOutcome, usageOutcome } from "./schemas.ts";

/** Counts events of an organization. Throws AppErrors. */
export type IngestUsage = (organizationId: string, events: unknown[]) => Promise<UsageOutcome>;

/** `POST /usage`: tenants' own servers report what was used there. */
export function addUsageRoute(
  app: FunctionApp,
  key: Pick<ApiKeyOptions, "decisions" | "leases" | "ipHeader">,
  ingest: IngestUsage,
): void {
  const route = createRoute({
    method: "post",
    path: "/usage",
    operationId: "reportUsage",
    tags: ["api"],
    summary: "Reports usage",
    description:
      "Up to 1,000 events, each counted once by its idempotency key: send a batch again as it was when no answer came. " +
      "Events that are not valid are refused one by one, and the others count. Needs the scope `usage.write`. Events " +
      "belong to the application of the key.",
    security: [{ apiKey: [] }],
    // A metric of its own, without a quota: what was used is told also by those whose requests are used up.
    middleware: [withApiKey({ ...key, scope: "usage.write", metric: "usage_reports" })] as const,
    request: { body: { required: true, content: { "application/json": { schema: usageBatch } } } },
    responses: {
      200: {
        description: "What became of the events.",
        content: { "application/json": { schema: usageOutcome } },
      },
      ...errorResponses(...apiKeyErrors, "malformed_body", "validation_failed", "payload_too_large"),
    },
  });

  app.openapi(route, async (c) => {
    const caller = c.var.apiKey;
    const own = { application_id: caller.applicationId, api_key_id: caller.keyId };
    const sent = c.req.valid("json").events;
    const events = sent.map((event) => {
      if (!isStorable(event)) return null;
      return typeof event === "object" && event !== null && !Array.isArray(event)
        ? { ...event, ...own }
        : event;
    });
    const outcome = await ingest(caller.organizationId, events);
    const rejected = outcome.rejected.map((refused) =>
      isStorable(sent[refused.index]) ? refused : { ...refused, reason: "unstorable" }
    );
    c.header("cache-control", "no-store");
    return c.json({ ...outcome, rejected }, 200);
  });
}

/** More than fits into the size of an event's dimensions. */
const DEEPEST = 200;

/** Null characters, halves of characters and what is nested too deep are no JSON to PostgreSQL: the batch would fail. */
function isStorable(value: unknown, depth = 0): boolean {
  if (typeof value === "string") return value.isWellFormed() && !value.includes("\0");
  if (typeof value !== "object" || value === null) return true;
  return depth < DEEPEST &&
    Object.entries(value).every(([key, inner]) => isStorable(key) && isStorable(inner, depth + 1));
}

export const createIngest = (postgres: Postgres): IngestUsage => async (organizationId, events) => {
  try {
    const [outcome] = await postgres.run((sql) =>
      sql<[UsageOutcome]>`
        select * from private.ingest_usage(${organizationId}, ${JSON.stringify(events)}::text::jsonb)`
    );
    return outcome;
  } catch (error) {
    throw isRefusal(error) ? refusal(error) : error;
  }
};

type Refusal = Error & { code: string; hint?: string };

const isRefusal = (error: unknown): error is Refusal =>
  error instanceof Error && "code" in error && /^(22|PT)\w{3}$/.test(String(error.code));

/** Texts and numbers that PostgreSQL cannot hold (class 22) are the caller's; the rest says what it is. */
function refusal({ code, message, hint = "" }: Refusal): AppError {
  if (code.startsWith("22")) {
    return new AppError("validation_failed", {
      message: "The events hold a text or number that cannot be stored.",
    });
  }
  return databaseError({ error: { code, message, hint }, status: 400 });
}
