import { z } from "zod";
import { defineCollection, stored } from "./definition.ts";

const bytes = z.number().int().min(0);

export const artifactKinds = ["openapi", "sdk", "export", "other"] as const;

/** The GridFS bucket that holds what artifacts consist of. */
export const ARTIFACT_FILES = "artifact_files";

/** A generated file: what is known of it. Its bytes are in GridFS, under the same id. */
export const artifacts = defineCollection({
  name: "artifacts",
  version: 2,
  bucket: ARTIFACT_FILES,
  schema: stored.extend({
    name: z.string().min(1).max(200),
    kind: z.enum(artifactKinds),
    content_type: z.string().max(200),
    state: z.enum(["uploading", "ready", "deleting"]),
    /** What it takes of the plan: reserved while it is uploaded, then its size. */
    bytes,
    sha256: z.string().min(64).max(64).optional(),
    created_by: z.string().max(36).optional(),
    created_at: z.date(),
    /** Until when somebody is working on it; then another tidies up. */
    alive_until: z.date(),
  }),
  indexes: [
    { name: "artifact_list", key: { organization_id: 1, state: 1, _id: -1 } },
    { name: "artifact_kind", key: { organization_id: 1, kind: 1, _id: -1 } },
  ],
});
export type Artifact = z.infer<typeof artifacts.schema>;

/** What an organization's artifacts come to, changed only together with them. `_id` is the organization. */
export const artifactUsage = defineCollection({
  name: "artifact_usage",
  version: 1,
  schema: stored.extend({ bytes }),
  indexes: [{ name: "artifact_usage", key: { organization_id: 1, _id: 1 } }],
});
