import { createRoute, z } from "@hono/zod-openapi";
import { fromCursor, toCursor } from "../_documents/cursor.ts";
import type { About } from "../_documents/workflow-store.ts";
import { errorResponses } from "../_shared/responses.ts";
import { uuid, validationFailed } from "../_shared/validation.ts";
import { shapeIssues } from "../_workflows/check.ts";
import { mergePatch } from "../_workflows/merge-patch.ts";
import { workflowDefinition } from "../_workflows/workflow.ts";
import type { Backend } from "./backend.ts";
import { etagOf, requireRevision } from "./revision.ts";
import {
  type DraftInput,
  draftInput,
  draftPatch,
  duplicateInput,
  parsed,
  summaryOf,
  workflow,
  workflowOf,
  workflowPage,
} from "./schemas.ts";
import {
  answer,
  body,
  callerOf,
  draftRefusals,
  forPeople,
  forPeopleWithBody,
  ifMatch,
  inOrganization,
  invalidWorkflow,
  ofWorkflow,
  refusals,
  refuseBody,
  requireContent,
  type Setting,
} from "./setting.ts";

/** Drafts: everything until something is published. */
export function registerDrafts(setting: Setting): void {
  const { app, workflows } = setting;

  const create = createRoute({
    ...forPeopleWithBody(setting),
    method: "post",
    path: "/{organization_id}",
    operationId: "createWorkflow",
    summary: "Makes a workflow",
    request: { params: inOrganization, body: body(draftInput) },
    responses: {
      201: answer("Made, as a draft.", workflow),
      ...errorResponses(...draftRefusals, "limit_reached", "workflow_slug_taken"),
    },
  });
  app.openapi(create, async (c) => {
    const { organization_id } = c.req.valid("param");
    const { definition, ...input } = c.req.valid("json");
    const { backend, by } = callerOf(setting, c, organization_id);
    const limit = await backend.workflowLimit(organization_id);
    const about = await requireAbout(input, organization_id, backend);
    const content = await requireContent(definition, organization_id, backend);
    const made = await workflows.create(organization_id, about, content, { by, limit });
    c.set("objectId", made._id);
    c.header("etag", etagOf(made));
    return c.json(workflowOf(made), 201);
  }, refuseBody);

  const list = createRoute({
    ...forPeople(setting),
    method: "get",
    path: "/{organization_id}",
    operationId: "listWorkflows",
    summary: "The workflows, the newest first",
    request: {
      params: inOrganization,
      query: z.object({
        limit: z.coerce.number().int().min(1).max(100).default(25),
        cursor: z.string().max(300).optional(),
        state: z.enum(["draft", "published", "archived"]).optional(),
        application_id: uuid.optional(),
        tag: z.string().max(50).optional(),
        search: z.string().max(200).optional().openapi({
          description: "Words of the name, or how they begin.",
        }),
      }),
    },
    responses: { 200: answer("One page.", workflowPage), ...errorResponses(...refusals) },
  });
  app.openapi(list, async (c) => {
    const { organization_id } = c.req.valid("param");
    const { cursor, limit, ...query } = c.req.valid("query");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.read");
    const after = cursor === undefined ? undefined : fromCursor(cursor, z.object({ after: uuid })).after;
    const found = await workflows.list(organization_id, { ...query, after, limit });
    const last = found.length === limit ? found.at(-1) : undefined;
    const next_cursor = last ? toCursor({ after: last._id }) : null;
    return c.json({ workflows: found.map(summaryOf), next_cursor }, 200);
  });

  const get = createRoute({
    ...forPeople(setting),
    method: "get",
    path: "/{organization_id}/{id}",
    operationId: "getWorkflow",
    summary: "A workflow with its draft",
    request: { params: ofWorkflow },
    responses: {
      200: answer("The draft. Its ETag is what a change is made on.", workflow),
      ...errorResponses(...refusals, "workflow_not_found"),
    },
  });
  app.openapi(get, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.read");
    const found = await workflows.get(organization_id, id);
    c.header("etag", etagOf(found));
    return c.json(workflowOf(found), 200);
  });

  const changeRefusals = [
    ...draftRefusals,
    "workflow_not_found",
    "workflow_archived",
    "workflow_slug_taken",
    "stale_revision",
    "revision_required",
  ] as const;
  const replace = createRoute({
    ...forPeopleWithBody(setting),
    method: "put",
    path: "/{organization_id}/{id}",
    operationId: "replaceWorkflow",
    summary: "Replaces the draft",
    request: { params: ofWorkflow, headers: ifMatch, body: body(draftInput) },
    responses: { 200: answer("The new draft.", workflow), ...errorResponses(...changeRefusals) },
  });
  app.openapi(replace, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { definition, ...input } = c.req.valid("json");
    const { backend, by } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.write");
    const revision = requireRevision(c.req.valid("header")["if-match"]);
    const about = await requireAbout(input, organization_id, backend);
    const content = await requireContent(definition, organization_id, backend);
    const saved = await workflows.save(organization_id, id, revision, about, content, by);
    c.header("etag", etagOf(saved));
    return c.json(workflowOf(saved), 200);
  }, refuseBody);

  const patch = createRoute({
    ...forPeopleWithBody(setting),
    method: "patch",
    path: "/{organization_id}/{id}",
    operationId: "patchWorkflow",
    summary: "Changes part of the draft",
    description: "By a JSON Merge Patch (RFC 7396). The result is checked as a whole.",
    request: {
      params: ofWorkflow,
      headers: ifMatch,
      body: {
        required: true,
        content: {
          "application/merge-patch+json": { schema: draftPatch },
          "application/json": { schema: draftPatch },
        },
      },
    },
    responses: { 200: answer("The new draft.", workflow), ...errorResponses(...changeRefusals) },
  });
  app.openapi(patch, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { backend, by } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.write");
    const revision = requireRevision(c.req.valid("header")["if-match"]);
    const { name, slug, description, tags, application_id, definition } = await workflows.get(
      organization_id,
      id,
      revision,
    );
    const before = { name, slug, description, tags, application_id, definition: parsed(definition) };
    const after = requireDraft(mergePatch(before, c.req.valid("json")));
    const about = await requireAbout(after, organization_id, backend);
    const content = await requireContent(after.definition, organization_id, backend);
    const saved = await workflows.save(organization_id, id, revision, about, content, by);
    c.header("etag", etagOf(saved));
    return c.json(workflowOf(saved), 200);
  }, refuseBody);

  const duplicate = createRoute({
    ...forPeopleWithBody(setting),
    method: "post",
    path: "/{organization_id}/{id}/duplicate",
    operationId: "duplicateWorkflow",
    summary: "Makes a workflow of another's draft",
    request: { params: ofWorkflow, body: body(duplicateInput) },
    responses: {
      201: answer("Made, as a draft.", workflow),
      ...errorResponses(...draftRefusals, "workflow_not_found", "limit_reached", "workflow_slug_taken"),
    },
  });
  app.openapi(duplicate, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { backend, by } = callerOf(setting, c, organization_id);
    const limit = await backend.workflowLimit(organization_id);
    const { description, tags, application_id, definition } = await workflows.get(organization_id, id);
    const content = await requireContent(parsed(definition), organization_id, backend);
    const about = { description, tags, application_id, ...c.req.valid("json") };
    const made = await workflows.create(organization_id, about, content, { by, limit });
    c.set("objectId", made._id);
    c.header("etag", etagOf(made));
    return c.json(workflowOf(made), 201);
  });
}

/** The draft that a patch made. @throws {AppError} `validation_failed`, `invalid_workflow` */
function requireDraft(value: unknown): DraftInput {
  const { definition, ...rest } = value as Record<string, unknown>;
  const workflow = workflowDefinition.safeParse(definition);
  if (!workflow.success) throw invalidWorkflow(shapeIssues(workflow.error.issues));
  const input = draftInput.safeParse({ ...rest, definition: workflow.data });
  if (!input.success) throw validationFailed("json", input.error.issues);
  return input.data;
}

async function requireAbout(
  { name, slug, description = "", tags = [], application_id }: Omit<DraftInput, "definition">,
  organizationId: string,
  backend: Backend,
): Promise<About> {
  if (application_id) await backend.applicationExists(organizationId, application_id);
  return { name, slug, description, tags: [...new Set(tags)], application_id: application_id ?? undefined };
}
