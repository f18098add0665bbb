import { z } from "@hono/zod-openapi";
import type { Artifact } from "../_documents/artifacts.ts";
import { artifactKinds } from "../_documents/artifacts.ts";
import { uuid } from "../_shared/validation.ts";

export const MAX_UPLOAD_BYTES = 100 * 1024 * 1024;
export const MAX_LINK_SECONDS = 3600;
export const MAX_LINK_INPUT_BYTES = 1024;

export const name = z.string().trim().min(1).max(200).regex(
  /^[^\p{Cc}\p{Cs}<>:"/\\|?*\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+$/u,
  "expected a file's name, without path",
);
export const kind = z.enum(artifactKinds);
/** A media type with at most a charset: nothing that a header could be broken with. */
export const contentType = z.string().max(200).regex(
  /^[a-z0-9][a-z0-9!#$&^_.+-]{0,99}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}(; ?charset=[\w-]{1,30})?$/i,
  "expected a media type like application/json",
);

export const inOrganization = z.object({ organization_id: uuid });
export const ofArtifact = z.object({ organization_id: uuid, id: uuid });

export const artifact = z.object({
  id: uuid,
  name: z.string(),
  kind,
  content_type: z.string(),
  bytes: z.int(),
  sha256: z.string(),
  created_by: z.string().nullable(),
  created_at: z.iso.datetime(),
}).openapi("Artifact");

export const artifactPage = z.object({
  artifacts: z.array(artifact),
  next_cursor: z.string().nullable().openapi({
    description: "Where the next page begins; null after the last.",
  }),
  used_bytes: z.int().openapi({
    description: "What all of them take of the plan, uploads under way included.",
  }),
}).openapi("ArtifactPage");

export const linkInput = z.strictObject({
  expires_in: z.int().min(1).max(MAX_LINK_SECONDS).default(300).openapi({ description: "Seconds." }),
}).openapi("ArtifactLinkInput");

export const link = z.object({
  url: z.url(),
  expires_at: z.iso.datetime(),
}).openapi("ArtifactLink", { description: "Whoever has it can download: hand it on with care." });

export const artifactOf = (given: Artifact): z.infer<typeof artifact> => ({
  id: given._id,
  name: given.name,
  kind: given.kind,
  content_type: given.content_type,
  bytes: given.bytes,
  sha256: given.sha256 ?? "",
  created_by: given.created_by ?? null,
  created_at: given.created_at.toISOString(),
});
