import { createRoute } from "@hono/zod-openapi";
import { errorResponses } from "../_shared/responses.ts";
import { etagOf } from "./revision.ts";
import { workflow, workflowOf } from "./schemas.ts";
import { answer, callerOf, forPeople, ofWorkflow, refusals, type Setting } from "./setting.ts";

/** How a workflow goes out of use, comes back, and ends. */
export function registerLifecycle(setting: Setting): void {
  const { app, workflows } = setting;

  for (const verb of ["archive", "restore"] as const) {
    const route = createRoute({
      ...forPeople(setting),
      method: "post",
      path: `/{organization_id}/{id}/${verb}` as const,
      operationId: `${verb}Workflow`,
      summary: verb === "archive" ? "Takes it off its route, and keeps it" : "Puts it back, on its route",
      request: { params: ofWorkflow },
      responses: {
        200: answer("As it is now.", workflow),
        ...errorResponses(...refusals, "workflow_not_found", "route_taken", "stale_revision"),
      },
    });
    app.openapi(route, async (c) => {
      const { organization_id, id } = c.req.valid("param");
      const { backend, by } = callerOf(setting, c, organization_id);
      // What answers requests is the publishers' to change.
      await backend.requirePermission(organization_id, "workflows.publish");
      const changed = await workflows[verb](organization_id, id, by);
      c.header("etag", etagOf(changed));
      return c.json(workflowOf(changed), 200);
    });
  }

  const remove = createRoute({
    ...forPeople(setting),
    method: "delete",
    path: "/{organization_id}/{id}",
    operationId: "deleteWorkflow",
    summary: "Deletes it with all its versions, for good",
    request: { params: ofWorkflow },
    responses: {
      204: { description: "Gone." },
      ...errorResponses(...refusals, "workflow_not_found", "workflow_not_archived"),
    },
  });
  app.openapi(remove, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.write");
    await workflows.remove(organization_id, id);
    return c.body(null, 204);
  });
}
