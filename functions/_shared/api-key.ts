import type { Context, MiddlewareHandler } from "hono";
import type { FunctionEnv } from "./app.ts";
import { hashApiKey, isApiKey } from "./api-key-format.ts";
import { clientIp } from "./client-ip.ts";
import type { Decision, Decisions, Refusal, Request } from "./decisions.ts";
import { readVariable } from "./env.ts";
import { AppError } from "./errors.ts";
import type { Leases } from "./lease.ts";

/** Whose request it is. */
export interface VerifiedCaller {
  verified: true;
  keyId: string;
  organizationId: string;
  applicationId: string;
  environment: "live" | "test";
  decision: Decision;
}

/** In `c.var.apiKey`. Not verified: the database was away, and the route lets callers pass all the same: it may be anybody. */
export type ApiKeyCaller = VerifiedCaller | { verified: false };

export interface ApiKeyEnv<Caller = ApiKeyCaller> extends FunctionEnv {
  Variables: FunctionEnv["Variables"] & { apiKey: Caller };
}

export interface ApiKeyOptions {
  /** The permission that the key must have. */
  scope: string;
  /** What is counted: a metric that plans grant so much of in a month, such as `api_requests`. */
  metric: string;
  /** How much of it one request is: a whole number from 1 to 1,000,000,000. Default 1. */
  cost?: number | ((c: Context) => number);
  /** The workflow that the request is about, where keys may be narrowed to some. */
  workflow?: (c: Context) => string | undefined;
  /** `refuse` (default): 503 when the database is away. `admit`: the request passes, and is marked as not verified. */
  whenUnavailable?: "refuse" | "admit";
  decisions: Decisions;
  /** Decides in memory instead of asking each time: what that means is told by `createLeases`. */
  leases?: Leases;
  /** Instead of `CLIENT_IP_HEADER`. */
  ipHeader?: string;
}

/**
 * Lets a request pass when its API key may do this now, counts it, and says whose it is in `c.var.apiKey`. The key is
 * `Authorization: Bearer nk_…` or `x-api-key: nk_…`. What is left is told by `RateLimit` and `RateLimit-Policy`.
 *
 * @example
 * ```ts
 * app.get("/ping", withApiKey({ scope: "applications.read", metric: "api_requests", decisions }), (c) => {
 *   const { organizationId, environment } = c.var.apiKey;
 *   return c.json({ organizationId, environment });
 * });
 * ```
 */
export function withApiKey(
  options: ApiKeyOptions & { whenUnavailable?: "refuse" },
): MiddlewareHandler<ApiKeyEnv<VerifiedCaller>>;
export function withApiKey(options: ApiKeyOptions): MiddlewareHandler<ApiKeyEnv>;
export function withApiKey(options: ApiKeyOptions): MiddlewareHandler {
  const { scope, metric, cost = 1, workflow, whenUnavailable = "refuse", decisions, leases } = options;
  return async (c, next) => {
    const key = keyOf(c.req.raw.headers);
    if (key === undefined) throw new AppError("missing_credentials", { headers: challenge });
    // The checksum is no secret: who is refused here learns what anybody can compute.
    if (!isApiKey(key)) throw refusal({ code: "invalid_key" });
    const request: Request = {
      hash: await hashApiKey(key),
      scope,
      metric,
      context: contextOf(c, options.ipHeader ?? readVariable("CLIENT_IP_HEADER"), workflow?.(c)),
    };

    const quantity = typeof cost === "function" ? cost(c) : cost;
    // A mistake of the route's: spent from a lease, less than nothing would give budget back.
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > MOST_COST) {
      throw new RangeError("A request's cost is a whole number from 1 to 1,000,000,000.");
    }

    let decision: Decision;
    try {
      decision = await (leases ? leases.decide(request, quantity) : decisions.authorize(request, quantity));
    } catch (error) {
      if (whenUnavailable === "refuse" || !isUnavailable(error)) throw error;
      c.set("apiKey", { verified: false } satisfies ApiKeyCaller);
      return await next();
    }
    if (decision.organizationId) c.set("organizationId", decision.organizationId);
    if (decision.code !== "allowed") throw refusal(decision as Decision & { code: Refusal });
    const caller: VerifiedCaller = {
      verified: true,
      keyId: decision.keyId!,
      organizationId: decision.organizationId!,
      applicationId: decision.applicationId!,
      environment: decision.environment!,
      decision,
    };
    c.set("apiKey", caller);
    await next();
    for (const [name, value] of Object.entries(rateLimitHeaders(decision))) c.header(name, value);
  };
}

const MOST_COST = 1_000_000_000;

const challenge = { "www-authenticate": 'Bearer realm="api"' };

/** Whatever two keys differ in, no two readers would take the same one: together they are none. */
function keyOf(headers: Headers): string | undefined {
  const bearer = /^Bearer +(nk_.+)$/i.exec(headers.get("authorization") ?? "")?.[1]?.trim();
  const header = headers.get("x-api-key")?.trim() || undefined;
  return bearer && header && bearer !== header ? "" : bearer ?? header;
}

function contextOf(
  c: Context<ApiKeyEnv>,
  ipHeader: string,
  workflow: string | undefined,
): Request["context"] {
  const ip = clientIp(c.req.raw.headers, ipHeader);
  const origin = c.req.header("origin");
  return {
    // Ours, not the caller's x-request-id: whoever could repeat that would be counted once.
    request_id: crypto.randomUUID(),
    ...(ip && { ip }),
    ...(origin && { origin }),
    ...(workflow && { workflow_id: workflow }),
  };
}

const isUnavailable = (error: unknown) => error instanceof AppError && error.code === "database_unavailable";

function refusal(decision: { code: Refusal } & Partial<Decision>): AppError {
  const { code, retryAfter, resetAt } = decision;
  return new AppError(code, {
    headers: {
      ...(code === "invalid_key" || code === "expired" || code === "revoked" ? challenge : {}),
      ...(typeof retryAfter === "number" && { "retry-after": String(retryAfter) }),
      ...("limit" in decision ? rateLimitHeaders(decision as Decision) : {}),
    },
    ...(resetAt && { details: { reset_at: resetAt.toISOString() } }),
  });
}

/** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): the burst, and the month's quota. */
export function rateLimitHeaders(decision: Decision): Record<string, string> {
  const { code, limit, remaining, rateLimit, rateRemaining, retryAfter } = decision;
  const policies: string[] = [];
  const states: string[] = [];
  const add = (name: string, quota: number | null, left: number | null, seconds?: number | null) => {
    if (quota === null || left === null) return;
    policies.push(`"${name}";q=${quota}`);
    states.push(`"${name}";r=${left}${seconds ? `;t=${seconds}` : ""}`);
  };
  if (code === "rate_limited") add("burst", limit, remaining, retryAfter);
  else {
    add("burst", rateLimit, rateRemaining);
    const reset = decision.resetAt &&
      Math.max(0, Math.ceil((decision.resetAt.getTime() - Date.now()) / 1000));
    add("month", limit, remaining, retryAfter ?? reset);
  }
  if (policies.length === 0) return {};
  return { "ratelimit-policy": policies.join(", "), "ratelimit": states.join(", ") };
}
