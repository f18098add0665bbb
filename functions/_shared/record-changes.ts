import type { MiddlewareHandler } from "hono";
import type { ActivityEvent, RecordActivity } from "./activity.ts";
import type { FunctionEnv } from "./app.ts";

const verbs: Record<string, string> = { POST: "create", PUT: "replace", PATCH: "change", DELETE: "delete" };

/**
 * Records what callers changed: every request that is no GET and was answered with success. The action is the last fixed
 * part of the path, as in `workflows.publish`, else the method's verb; the object is `c.var.objectId`, else the path's id.
 */
export function recordChanges(subject: string, record: RecordActivity): MiddlewareHandler<FunctionEnv> {
  return async (c, next) => {
    await next();
    const { organizationId, objectId, requestId, supabaseContext } = c.var;
    const verb = verbs[c.req.method];
    if (!verb || c.res.status >= 400 || !organizationId) return;
    const fixed = c.req.path.split("/").filter((part) => /^[a-z][a-z_-]{0,30}$/.test(part)).slice(1);
    const id = objectId ?? c.req.path.match(/\/[\da-f-]{36}\/([\da-f-]{36})(\/|$)/i)?.[1];
    const user = supabaseContext?.userClaims?.id;
    const event: ActivityEvent = {
      organization_id: organizationId,
      actor: user ? { kind: "user", id: user } : { kind: "server" },
      action: `${subject}.${fixed.join(".") || verb}`,
      ...(id && { object: { kind: subject, id: id.toLowerCase() } }),
      request_id: requestId,
    };
    record(event);
  };
}
