import type { MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { FunctionEnv } from "./app.ts";
import { describeError, type Log, redact } from "./log.ts";

/** A caller may name its request, in letters that are harmless in a log. */
const wellFormedId = /^[\w.-]{8,128}$/;

interface RequestLogOptions {
  /** The function's name. */
  name: string;
  log: Log;
  clock: () => number;
}

/** Names the request and writes one line about it when it is answered. */
export function requestLog({ name, log, clock }: RequestLogOptions): MiddlewareHandler<FunctionEnv> {
  return async (c, next) => {
    const started = clock();
    const offered = c.req.header("x-request-id") ?? "";
    const harmless = wellFormedId.test(offered) && redact(offered) === offered;
    const requestId = harmless ? offered : crypto.randomUUID();
    c.set("requestId", requestId);

    await next();

    c.header("x-request-id", requestId);
    const failed = c.res.status >= 500;
    log({
      level: failed ? "error" : "info",
      time: new Date(started).toISOString(),
      request_id: requestId,
      function: name,
      ...(c.var.organizationId && { organization: c.var.organizationId }),
      method: c.req.method,
      // The route's pattern, not the URL: a query or a path may hold a secret.
      route: matchedRoutes(c).findLast(({ method }) => method !== "ALL")?.path ?? null,
      status: c.res.status,
      ms: Math.max(0, Math.round(clock() - started)),
      ...(c.var.errorCode && { code: c.var.errorCode }),
      ...(failed && c.error && { error: describeError(c.error) }),
    });
  };
}
