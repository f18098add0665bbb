import { z } from "@hono/zod-openapi";
import type { WorkflowSummary } from "../_documents/workflow-store.ts";
import type { Workflow, WorkflowVersion } from "../_documents/workflows.ts";
import { difference } from "../_workflows/diff.ts";
import { uuid } from "../_shared/validation.ts";
import { recordOf } from "../_workflows/first-problem.ts";
import { type WorkflowDefinition, workflowDefinition } from "../_workflows/workflow.ts";

const time = z.iso.datetime();

/** As names are in the database: nothing that reorders or hides text, and something to see. */
export const name = z.string().trim().min(1).max(100)
  .regex(
    /^[^\p{Cc}<>\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]+$/u,
    "expected visible characters, without < and >",
  )
  .regex(/[^\s\u00ad\u115f\u1160\u200c\u200d\u2800\u3164\uffa0]/u, "expected something to see");
export const slug = z.string().max(63).regex(
  /^[a-z0-9]+(-[a-z0-9]+)*$/,
  "expected letters a-z, digits and single hyphens",
);
const tag = z.string().regex(/^[\p{L}\p{N}][\p{L}\p{N}_.:-]{0,49}$/u, "expected a word");
const note = z.string().max(2000);

const about = {
  name,
  slug,
  description: z.string().max(2000).optional(),
  tags: z.array(tag).max(20).optional(),
  application_id: uuid.nullish().openapi({ description: "An application of this organization." }),
};

export const draftInput = z.strictObject({ ...about, definition: workflowDefinition }).openapi(
  "WorkflowInput",
);
export type DraftInput = z.infer<typeof draftInput>;

export const draftPatch = z.strictObject({
  name: z.string().optional(),
  slug: z.string().optional(),
  description: z.string().nullish(),
  tags: about.tags.nullable(),
  application_id: z.string().nullish(),
  definition: z.record(z.string(), z.unknown()).optional().openapi({
    description: "Merged into the draft's.",
  }),
}).openapi("WorkflowPatch", {
  description: "A JSON Merge Patch (RFC 7396): null removes, lists are replaced.",
});

export const publishInput = z.strictObject({ note: note.optional() }).openapi("PublishInput");
export const rollbackInput = z.strictObject({ version: z.int().min(1), note: note.optional() }).openapi(
  "RollbackInput",
);
export const duplicateInput = z.strictObject({ name, slug }).openapi("DuplicateInput");

export const workflowFile = z.strictObject({
  format: z.literal("nectar.workflow-file/1"),
  name,
  slug,
  description: z.string().max(2000),
  tags: z.array(tag).max(20),
  content_hash: z.string().max(64).openapi({
    description: "SHA-256 of the definition's canonical form (RFC 8785).",
  }),
  definition: workflowDefinition,
}).openapi("WorkflowFile");

export const importInput = z.strictObject({
  file: workflowFile,
  name: name.optional(),
  slug: slug.optional(),
  connections: recordOf(uuid, uuid, { type: "string", format: "uuid" }).optional().openapi({
    description: "Which connection of this organization takes the place of each in the file.",
  }),
}).openapi("ImportInput");

const summaryShape = {
  id: uuid,
  name: z.string(),
  slug: z.string(),
  description: z.string(),
  tags: z.array(z.string()),
  application_id: z.string().nullable(),
  state: z.enum(["draft", "published", "archived"]),
  trigger: z.enum(["http", "schedule"]),
  route: z.string().nullable().openapi({
    description: "What it answers at the moment, such as GET /orders/{}.",
  }),
  connection_ids: z.array(z.string()),
  revision: z.int(),
  latest_version: z.int().openapi({ description: "0: never published." }),
  content_hash: z.string(),
  published_hash: z.string().nullable().openapi({
    description: "Differs from content_hash: the draft has changed since.",
  }),
  created_by: z.string().nullable(),
  created_at: time,
  updated_by: z.string().nullable(),
  updated_at: time,
};
export const workflowSummary = z.object(summaryShape).openapi("WorkflowSummary");
export const workflow = z.object({ ...summaryShape, definition: workflowDefinition }).openapi("Workflow");

const versionShape = {
  workflow_id: uuid,
  number: z.int(),
  content_hash: z.string(),
  trigger: z.enum(["http", "schedule"]),
  route: z.string().nullable(),
  note: z.string(),
  rolled_back_to: z.int().nullable(),
  published_by: z.string().nullable(),
  published_at: time,
};
export const versionSummary = z.object(versionShape).openapi("WorkflowVersionSummary");
export const version = z.object({ ...versionShape, definition: workflowDefinition }).openapi(
  "WorkflowVersion",
);

const next_cursor = z.string().nullable().openapi({
  description: "Where the next page begins; null after the last.",
});
export const workflowPage = z.object({ workflows: z.array(workflowSummary), next_cursor }).openapi(
  "WorkflowPage",
);
export const versionPage = z.object({ versions: z.array(versionSummary), next_cursor }).openapi(
  "WorkflowVersionPage",
);
export const publication = z.object({
  version: versionSummary,
  created: z.boolean().openapi({ description: "False when nothing had changed since the latest version." }),
}).openapi("WorkflowPublication");
export const differences = z.object({ differences: z.array(difference) }).openapi("WorkflowDifferences");

export const live = z.object({
  workflow_id: uuid,
  slug: z.string(),
  version: z.int(),
  content_hash: z.string(),
  published_at: time,
  definition: workflowDefinition,
}).openapi("LiveWorkflow");
export const liveRoutes = z.object({
  routes: z.array(z.object({
    workflow_id: uuid,
    slug: z.string(),
    route: z.string(),
    version: z.int(),
    content_hash: z.string().nullable(),
  })),
  next_cursor,
}).openapi("LiveRoutes");

export function summaryOf(given: WorkflowSummary): z.infer<typeof workflowSummary> {
  return {
    id: given._id,
    name: given.name,
    slug: given.slug,
    description: given.description,
    tags: given.tags,
    application_id: given.application_id ?? null,
    state: given.state,
    trigger: given.trigger,
    route: given.live_route ?? null,
    connection_ids: given.connection_ids,
    revision: given.revision,
    latest_version: given.latest_version,
    content_hash: given.content_hash,
    published_hash: given.latest_hash ?? null,
    created_by: given.created_by ?? null,
    created_at: given.created_at.toISOString(),
    updated_by: given.updated_by ?? null,
    updated_at: given.updated_at.toISOString(),
  };
}

export const parsed = (text: string): WorkflowDefinition => JSON.parse(text);

export const workflowOf = (given: Workflow) => ({
  ...summaryOf(given),
  definition: parsed(given.definition),
});

export function versionSummaryOf(
  given: Omit<WorkflowVersion, "definition" | "connection_ids" | "organization_id">,
) {
  return {
    workflow_id: given.workflow_id,
    number: given.number,
    content_hash: given.content_hash,
    trigger: given.trigger,
    route: given.route ?? null,
    note: given.note,
    rolled_back_to: given.rolled_back_to ?? null,
    published_by: given.published_by ?? null,
    published_at: given.published_at.toISOString(),
  };
}
