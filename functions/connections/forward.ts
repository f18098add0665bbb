import type { MiddlewareHandler } from "hono";
import type { FunctionEnv } from "../_shared/app.ts";
import { AppError } from "../_shared/errors.ts";

const FORWARDED = "x-nectar-forwarded";
const uuid = /^[0-9a-f-]{36}$/i;
const passed = ["authorization", "apikey", "content-type"];

/**
 * Hands the request, with its caller's credentials, to another host that runs this function, and its answer back. That
 * host authenticates the caller itself. A request that was handed on once is dealt with.
 *
 * @param url - Where that host's function is, such as `https://tester.example.com/connections`; undefined: here.
 */
export function forwardTo(
  url: () => string | undefined,
  send: typeof fetch = fetch,
  timeoutMs = 40_000,
): MiddlewareHandler<FunctionEnv> {
  return async (c, next) => {
    const host = c.req.header(FORWARDED) ? undefined : url();
    // What is no id is refused here: `%2e%2e` would lead to another path of that host.
    const id = c.req.param("id");
    if (!host || (id !== undefined && !uuid.test(id))) return await next();
    const headers = new Headers({ [FORWARDED]: "1", "x-request-id": c.var.requestId });
    for (const name of passed) {
      const value = c.req.header(name);
      if (value) headers.set(name, value);
    }
    const path = c.req.path.replace(/^\/connections/, "");
    try {
      const answer = await send(host.replace(/\/+$/, "") + path, {
        method: c.req.method,
        headers,
        body: await c.req.arrayBuffer(),
        redirect: "error",
        signal: AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(timeoutMs)]),
      });
      const body = await answer.arrayBuffer();
      const type = answer.headers.get("content-type") ?? "";
      if (!type.startsWith("application/json")) throw new Error(`status ${answer.status}, ${type}`);
      const wait = answer.headers.get("retry-after");
      return new Response(body, {
        status: answer.status,
        headers: { "content-type": type, "cache-control": "no-store", ...(wait && { "retry-after": wait }) },
      });
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      throw new AppError("tester_unavailable", { cause });
    }
  };
}
