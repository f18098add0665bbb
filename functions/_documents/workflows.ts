import { z } from "zod";
import { defineCollection, stored } from "./definition.ts";

const hash = z.string().min(64).max(64);
/** JSON text: what people write freely is never a document's structure. */
const definition = z.string().max(1_048_576);
const route = z.string().max(400);
const count = z.number().int().min(0);
const person = z.string().max(36);

/** A workflow: its draft, and which version of it is live. */
export const workflows = defineCollection({
  name: "workflows",
  version: 1,
  schema: stored.extend({
    name: z.string().min(1).max(100),
    /** The name's words as they are searched. */
    name_words: z.array(z.string()).max(40),
    slug: z.string().min(1).max(63),
    description: z.string().max(2000),
    tags: z.array(z.string().max(50)).max(20),
    application_id: z.string().max(36).optional(),
    state: z.enum(["draft", "published", "archived"]),
    definition,
    content_hash: hash,
    trigger: z.enum(["http", "schedule"]),
    connection_ids: z.array(z.string()).max(500),
    /** Counts the draft's changes: what If-Match is compared with. */
    revision: z.number().int().min(1),
    latest_version: count,
    latest_hash: hash.optional(),
    /** What the latest version claims, as long as it is not archived. */
    live_route: route.optional(),
    created_by: person.optional(),
    created_at: z.date(),
    updated_by: person.optional(),
    updated_at: z.date(),
  }),
  indexes: [
    { name: "workflow_list", key: { organization_id: 1, _id: -1 } },
    { name: "workflow_slug", key: { organization_id: 1, slug: 1 }, unique: true },
    {
      name: "workflow_route",
      key: { organization_id: 1, live_route: 1 },
      unique: true,
      where: { live_route: { $exists: true } },
    },
    { name: "workflow_words", key: { organization_id: 1, name_words: 1 } },
    { name: "workflow_tags", key: { organization_id: 1, tags: 1, _id: -1 } },
    { name: "workflow_application", key: { organization_id: 1, application_id: 1, _id: -1 } },
  ],
});
export type Workflow = z.infer<typeof workflows.schema>;

/** What was published, as it was: written once. */
export const workflowVersions = defineCollection({
  name: "workflow_versions",
  version: 1,
  writtenOnce: true,
  schema: stored.extend({
    workflow_id: z.string().max(36),
    number: z.number().int().min(1),
    definition,
    content_hash: hash,
    trigger: z.enum(["http", "schedule"]),
    route: route.optional(),
    connection_ids: z.array(z.string()).max(500),
    note: z.string().max(2000),
    /** The version whose content this one brought back. */
    rolled_back_to: z.number().int().min(1).optional(),
    published_by: person.optional(),
    published_at: z.date(),
  }),
  indexes: [
    { name: "workflow_version", key: { organization_id: 1, workflow_id: 1, number: 1 }, unique: true },
  ],
});
export type WorkflowVersion = z.infer<typeof workflowVersions.schema>;
