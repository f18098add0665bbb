import { createRoute } from "@hono/zod-openapi";
import type { FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { errorResponses } from "../_shared/responses.ts";
import type { Dependencies } from "./app.ts";
import { rotateBatch } from "./rotate.ts";
import { rotation, rotationInput } from "./schemas.ts";

/** The rotation of the master key, for operators. */
export function addRotationRoute(app: FunctionApp, dependencies: Dependencies): void {
  const { keys, connectKeyRing, secretBox } = dependencies;
  const rotate = createRoute({
    method: "post",
    path: "/keys/rotate",
    operationId: "rotateConnectionKeys",
    tags: ["connections"],
    summary: "Wraps organizations' keys anew, by the current master key",
    description:
      "A batch for each call; `npm run connections:rotate` calls it to the end. It may be interrupted anywhere, and may " +
      "overlap with itself and everything else.",
    security: [{ secretKey: [] }],
    middleware: [authenticate("secret", keys)] as const,
    request: { body: { required: true, content: { "application/json": { schema: rotationInput } } } },
    responses: {
      200: {
        description: "What this batch did.",
        content: { "application/json": { schema: rotation } },
      },
      ...errorResponses(
        "missing_credentials",
        "invalid_api_key",
        "malformed_body",
        "validation_failed",
        "database_unavailable",
        "master_key_missing",
      ),
    },
  });
  app.openapi(rotate, async (c) => {
    const { after, limit } = c.req.valid("json");
    const keyRing = connectKeyRing(c.var.supabaseContext.supabaseAdmin, c.var.requestId);
    c.header("cache-control", "no-store");
    return c.json(await rotateBatch(secretBox, keyRing, after, limit), 200);
  });
}
