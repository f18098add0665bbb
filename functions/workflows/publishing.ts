import { createRoute, z } from "@hono/zod-openapi";
import { fromCursor, toCursor } from "../_documents/cursor.ts";
import { errorResponses } from "../_shared/responses.ts";
import { diff } from "../_workflows/diff.ts";
import { etagOf, requireRevision } from "./revision.ts";
import {
  differences,
  parsed,
  publication,
  publishInput,
  rollbackInput,
  version,
  versionPage,
  versionSummaryOf,
} from "./schemas.ts";
import {
  answer,
  body,
  callerOf,
  draftRefusals,
  forPeople,
  forPeopleWithBody,
  ifMatch,
  ofWorkflow,
  refusals,
  requireContent,
  type Setting,
} from "./setting.ts";

const number = z.coerce.number().int().min(1).max(1_000_000_000);
/** A version's number, or the draft. */
export const side = z.union([z.literal("draft"), z.literal("latest"), number]);
type Side = z.infer<typeof side>;

/** Versions: what was published, how they differ, and the way back. */
export function registerPublishing(setting: Setting): void {
  const { app, workflows } = setting;
  const publishRefusals = [
    ...draftRefusals,
    "workflow_not_found",
    "workflow_archived",
    "route_taken",
    "stale_revision",
    "revision_required",
  ] as const;

  const publish = createRoute({
    ...forPeopleWithBody(setting),
    method: "post",
    path: "/{organization_id}/{id}/publish",
    operationId: "publishWorkflow",
    summary: "Makes the draft the next version",
    description:
      "What was published never changes. When nothing has changed since the latest version, that is the answer.",
    request: { params: ofWorkflow, headers: ifMatch, body: body(publishInput) },
    responses: { 200: answer("What is live now.", publication), ...errorResponses(...publishRefusals) },
  });
  app.openapi(publish, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { backend, by } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.publish");
    const revision = requireRevision(c.req.valid("header")["if-match"]);
    const draft = await workflows.get(organization_id, id, revision);
    const { route } = await requireContent(parsed(draft.definition), organization_id, backend);
    const { note = "" } = c.req.valid("json");
    const { workflow, version, created } = await workflows.publish(organization_id, id, revision, {
      note,
      by,
      route,
    });
    c.header("etag", etagOf(workflow));
    return c.json({ version: versionSummaryOf(version), created }, 200);
  });

  const rollback = createRoute({
    ...forPeopleWithBody(setting),
    method: "post",
    path: "/{organization_id}/{id}/rollback",
    operationId: "rollBackWorkflow",
    summary: "Makes an earlier version's content the next version, and the draft",
    description: "History only grows: the version that was wrong stays, and so does its number.",
    request: { params: ofWorkflow, headers: ifMatch, body: body(rollbackInput) },
    responses: {
      200: answer("What is live now.", publication),
      ...errorResponses(...publishRefusals, "version_not_found"),
    },
  });
  app.openapi(rollback, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { backend, by } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.publish");
    const revision = requireRevision(c.req.valid("header")["if-match"]);
    const { version: to, note = "" } = c.req.valid("json");
    const earlier = await workflows.version(organization_id, id, to);
    await backend.connectionsExist(organization_id, earlier.connection_ids);
    const { workflow, version, created } = await workflows.rollBack(organization_id, id, revision, to, {
      note,
      by,
    });
    c.header("etag", etagOf(workflow));
    return c.json({ version: versionSummaryOf(version), created }, 200);
  });

  const list = createRoute({
    ...forPeople(setting),
    method: "get",
    path: "/{organization_id}/{id}/versions",
    operationId: "listWorkflowVersions",
    summary: "What was published, the newest first",
    request: {
      params: ofWorkflow,
      query: z.object({
        limit: z.coerce.number().int().min(1).max(100).default(25),
        cursor: z.string().max(300).optional(),
      }),
    },
    responses: {
      200: answer("One page.", versionPage),
      ...errorResponses(...refusals, "workflow_not_found"),
    },
  });
  app.openapi(list, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { limit, cursor } = c.req.valid("query");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.read");
    const before = cursor === undefined
      ? undefined
      : fromCursor(cursor, z.object({ before: z.int() })).before;
    const found = await workflows.versions(organization_id, id, { limit, before });
    const last = found.length === limit ? found.at(-1) : undefined;
    const next_cursor = last ? toCursor({ before: last.number }) : null;
    return c.json({ versions: found.map(versionSummaryOf), next_cursor }, 200);
  });

  const get = createRoute({
    ...forPeople(setting),
    method: "get",
    path: "/{organization_id}/{id}/versions/{number}",
    operationId: "getWorkflowVersion",
    summary: "One version, as it was published",
    request: { params: ofWorkflow.extend({ number }) },
    responses: {
      200: answer("The version.", version),
      ...errorResponses(...refusals, "workflow_not_found", "version_not_found"),
    },
  });
  app.openapi(get, async (c) => {
    const { organization_id, id, number } = c.req.valid("param");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.read");
    const found = await workflows.version(organization_id, id, number);
    c.header("etag", `"${found.content_hash}"`);
    return c.json({ ...versionSummaryOf(found), definition: parsed(found.definition) }, 200);
  });

  const compare = createRoute({
    ...forPeople(setting),
    method: "get",
    path: "/{organization_id}/{id}/diff",
    operationId: "diffWorkflowVersions",
    summary: "What changed between two versions, or to the draft",
    request: {
      params: ofWorkflow,
      query: z.object({ from: side.default("latest"), to: side.default("draft") }),
    },
    responses: {
      200: answer("At most 1,000 differences.", differences),
      ...errorResponses(...refusals, "workflow_not_found", "version_not_found"),
    },
  });
  app.openapi(compare, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    const { from, to } = c.req.valid("query");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.read");
    const [before, after] = await Promise.all(
      [from, to].map((side) => textOf(setting, organization_id, id, side)),
    );
    return c.json({ differences: diff(parsed(before ?? ""), parsed(after ?? "")) }, 200);
  });
}

/** The definition of a version or of the draft. */
export async function textOf(
  { workflows }: Pick<Setting, "workflows">,
  organizationId: string,
  id: string,
  side: Side,
): Promise<string> {
  const head = typeof side === "number" ? undefined : await workflows.get(organizationId, id);
  if (head && side === "draft") return head.definition;
  // Never published: there is no version 0.
  const number = head ? head.latest_version : side as number;
  return (await workflows.version(organizationId, id, number)).definition;
}
