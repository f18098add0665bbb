import type { MiddlewareHandler } from "hono";
import type { RecordActivity } from "./activity.ts";
import type { ApiKeyEnv } from "./api-key.ts";
import type { FunctionEnv } from "./app.ts";

/** Records what API keys were let do, as `api.ping`: what is refused belongs to nobody. Behind it a request waits for nothing. */
export function recordCalls(subject: string, record: RecordActivity): MiddlewareHandler<FunctionEnv> {
  return async (c, next) => {
    await next();
    // There only behind `withApiKey`.
    const caller = (c.var as Partial<ApiKeyEnv["Variables"]>).apiKey;
    if (!caller?.verified || c.res.status >= 400) return;
    record({
      organization_id: caller.organizationId,
      actor: { kind: "api_key", id: caller.keyId },
      action: [subject, ...c.req.path.split("/").slice(2)].join("."),
      object: { kind: "applications", id: caller.applicationId },
      request_id: c.var.requestId,
    });
  };
}
