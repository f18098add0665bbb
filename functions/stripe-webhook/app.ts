import { createRoute } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { AppError } from "../_shared/errors.ts";
import { describeError, type Log, logToConsole } from "../_shared/log.ts";
import { errorResponses } from "../_shared/responses.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import { deliver } from "./deliver.ts";
import { inTime, reasonOf } from "./failure.ts";
import type { Ledger, Result } from "./ledger.ts";
import { replay, type Replayed } from "./replay.ts";
import { received, replayed, selection } from "./schemas.ts";
import { readSigned } from "./signature.ts";

export interface StripeWebhookOptions {
  stripe: Pick<StripeAccount, "client" | "livemode">;
  ledger: Ledger;
  /** The endpoint's signing secrets: two while one is rolled over. */
  secrets: () => readonly string[];
  /** Milliseconds since 1970. */
  clock?: () => number;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Most milliseconds for applying an event. Default 8,000: Stripe takes a late answer for none. */
  deadlineMs?: number;
}

const NAME = "stripe-webhook";
/** Invoices with many lines make the largest events: a few hundred KiB. */
const MAX_BODY_BYTES = 1024 * 1024;
const PAGE = 20;
const REPLAY_BUDGET_MS = 20_000;
const FAIL_MS = 1_500;

export function createApp(options: StripeWebhookOptions): FunctionApp {
  const { stripe, ledger, secrets, clock = Date.now, log = logToConsole, keys, deadlineMs = 8000 } = options;
  const app = createFunction({ name: NAME, log, clock, maxBodyBytes: MAX_BODY_BYTES });

  const receive = createRoute({
    method: "post",
    path: "/",
    operationId: "receiveStripeEvent",
    tags: ["billing"],
    summary: "Takes an event from Stripe",
    description: "For Stripe alone: what is not signed with the endpoint's secret is refused.",
    security: [],
    responses: {
      200: { description: "Taken.", content: { "application/json": { schema: received } } },
      ...errorResponses(
        "invalid_signature",
        "malformed_body",
        "wrong_stripe_mode",
        "payload_too_large",
        "event_not_applied",
        "billing_unavailable",
        "database_unavailable",
      ),
    },
  });

  app.openapi(receive, async (c) => {
    const known = secrets();
    if (known.length === 0) {
      throw new AppError("billing_unavailable", { cause: new Error("STRIPE_WEBHOOK_SECRETS is missing.") });
    }
    const bytes = new Uint8Array(await c.req.arrayBuffer());
    const event = await readSigned(bytes, c.req.header("stripe-signature"), known, clock());
    if (event.livemode !== stripe.livemode) throw new AppError("wrong_stripe_mode");

    const body = new TextDecoder().decode(bytes);
    const about = { request_id: c.var.requestId, function: NAME, event: event.id, type: event.type };
    let result: Result;
    try {
      result = await inTime(deliver({ event, body, ledger, stripe: stripe.client }), deadlineMs);
    } catch (error) {
      const reason = reasonOf(error);
      log({ level: "error", ...about, reason });
      // In a commit of its own. Where that fails too, Stripe still sends it again.
      await inTime(ledger.fail(body, reason), FAIL_MS).catch((failure: unknown) =>
        log({ level: "error", ...about, reason: reasonOf(failure), error: describeError(failure) })
      );
      throw error instanceof AppError ? error : new AppError("event_not_applied");
    }
    log({ level: "info", ...about, ...result });
    return c.json({ received: true as const, ...result }, 200);
  });

  const again = createRoute({
    method: "post",
    path: "/replay",
    operationId: "replayStripeEvents",
    tags: ["billing"],
    summary: "Applies kept events once more",
    description: "A page of them: call it again with `after` until `next` is null.",
    security: [{ secretKey: [] }],
    middleware: [authenticate("secret", keys)] as const,
    request: { body: { required: true, content: { "application/json": { schema: selection } } } },
    responses: {
      200: { description: "What came of each.", content: { "application/json": { schema: replayed } } },
      ...errorResponses(
        "missing_credentials",
        "invalid_api_key",
        "malformed_body",
        "validation_failed",
        "database_unavailable",
      ),
    },
  });

  app.openapi(again, async (c) => {
    const deadline = clock() + REPLAY_BUDGET_MS;
    const page = await ledger.toReplay({ ...c.req.valid("json"), limit: PAGE });
    const events: Replayed[] = [];
    for (const kept of page) {
      if (events.length > 0 && clock() >= deadline) break;
      events.push(await replay(kept, ledger, stripe.client));
    }
    const more = page.length === PAGE || events.length < page.length;
    c.header("cache-control", "no-store");
    return c.json({ events, next: more ? events.at(-1)?.id ?? null : null }, 200);
  });
  return app;
}
