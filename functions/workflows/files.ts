import { createRoute, z } from "@hono/zod-openapi";
import { errorResponses } from "../_shared/responses.ts";
import { contentOf, hashOf } from "../_workflows/content.ts";
import type { WorkflowDefinition } from "../_workflows/workflow.ts";
import { side, textOf } from "./publishing.ts";
import { etagOf } from "./revision.ts";
import { importInput, parsed, workflow, workflowFile, workflowOf } from "./schemas.ts";
import {
  answer,
  body,
  callerOf,
  draftRefusals,
  forPeople,
  forPeopleWithBody,
  inOrganization,
  invalidWorkflow,
  ofWorkflow,
  refusals,
  refuseBody,
  requireContent,
  type Setting,
} from "./setting.ts";

/** Workflows as files: out of one organization, into another. */
export function registerFiles(setting: Setting): void {
  const { app, workflows } = setting;

  const exportRoute = createRoute({
    ...forPeople(setting),
    method: "get",
    path: "/{organization_id}/{id}/export",
    operationId: "exportWorkflow",
    summary: "A workflow as a file",
    request: { params: ofWorkflow, query: z.object({ version: side.default("draft") }) },
    responses: {
      200: answer("The file.", workflowFile),
      ...errorResponses(...refusals, "workflow_not_found", "version_not_found"),
    },
  });
  app.openapi(exportRoute, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.read");
    const [{ name, slug, description, tags }, text] = await Promise.all([
      workflows.get(organization_id, id),
      textOf(setting, organization_id, id, c.req.valid("query").version),
    ]);
    c.header("content-disposition", `attachment; filename="${slug}.workflow.json"`);
    const about = { format: "nectar.workflow-file/1" as const, name, slug, description, tags };
    return c.json({ ...about, content_hash: await hashOf(text), definition: parsed(text) }, 200);
  });

  const importRoute = createRoute({
    ...forPeopleWithBody(setting),
    method: "post",
    path: "/{organization_id}/import",
    operationId: "importWorkflow",
    summary: "Makes a workflow of a file",
    request: { params: inOrganization, body: body(importInput) },
    responses: {
      201: answer("Made, as a draft.", workflow),
      ...errorResponses(...draftRefusals, "limit_reached", "workflow_slug_taken"),
    },
  });
  app.openapi(importRoute, async (c) => {
    const { organization_id } = c.req.valid("param");
    const { file, connections = {}, name = file.name, slug = file.slug } = c.req.valid("json");
    const { backend, by } = callerOf(setting, c, organization_id);
    const limit = await backend.workflowLimit(organization_id);
    const { content_hash } = await contentOf(file.definition);
    if (content_hash !== file.content_hash.toLowerCase()) {
      throw invalidWorkflow([{
        path: "",
        message: "not what content_hash says: the file was changed or cut",
      }]);
    }
    const content = await requireContent(reconnected(file.definition, connections), organization_id, backend);
    const { description, tags } = file;
    const made = await workflows.create(organization_id, { name, slug, description, tags }, content, {
      by,
      limit,
    });
    c.set("objectId", made._id);
    c.header("etag", etagOf(made));
    return c.json(workflowOf(made), 201);
  }, refuseBody);
}

function reconnected(
  definition: WorkflowDefinition,
  connections: Record<string, string>,
): WorkflowDefinition {
  const places = new Map(Object.entries(connections).map(([from, to]) => [from.toLowerCase(), to]));
  const steps = definition.steps.map((step) =>
    step.type === "sql"
      ? { ...step, connection: places.get(step.connection.toLowerCase()) ?? step.connection }
      : step
  );
  return { ...definition, steps };
}
