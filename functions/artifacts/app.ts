import { createRoute, z } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import type { ArtifactStore } from "../_documents/artifact-store.ts";
import { fromCursor, toCursor } from "../_documents/cursor.ts";
import { type RecordActivity, recordNothing } from "../_shared/activity.ts";
import { createFunction, type FunctionApp, limitBody } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { AppError } from "../_shared/errors.ts";
import type { Log } from "../_shared/log.ts";
import { createPermissions } from "../_shared/permissions.ts";
import { recordChanges } from "../_shared/record-changes.ts";
import { errorResponses } from "../_shared/responses.ts";
import { uuid, validationFailed } from "../_shared/validation.ts";
import { downloadHeaders } from "./download.ts";
import { type LinkKeys, requireLink, signLink } from "./links.ts";
import {
  artifact,
  artifactOf,
  artifactPage,
  contentType,
  inOrganization,
  kind,
  link,
  linkInput,
  MAX_LINK_INPUT_BYTES,
  MAX_UPLOAD_BYTES,
  name,
  ofArtifact,
} from "./schemas.ts";

export interface ArtifactsOptions {
  artifacts: ArtifactStore;
  /** What links are signed with; undefined: there are none. */
  linkKeys: () => LinkKeys | undefined;
  /** The project's URL. */
  url: () => string;
  recordActivity?: RecordActivity;
  maxUploadBytes?: number;
  /** Milliseconds since 1970. */
  clock?: () => number;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createPermissions;
}

const refusals = [
  "validation_failed",
  "missing_credentials",
  "invalid_token",
  "not_permitted",
  "database_unavailable",
  "mongodb_unavailable",
] as const;
type Authenticated = ReturnType<typeof authenticate>;

const json = <Schema extends z.ZodType>(schema: Schema) => ({ "application/json": { schema } });
const file = { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } };

export function createApp(
  {
    artifacts,
    linkKeys,
    url,
    recordActivity = recordNothing,
    maxUploadBytes = MAX_UPLOAD_BYTES,
    clock = Date.now,
    log,
    keys,
    connect = createPermissions,
  }: ArtifactsOptions,
): FunctionApp {
  const app = createFunction({ name: "artifacts", maxBodyBytes: "streamed", clock, ...(log && { log }) });
  app.use(recordChanges("artifacts", recordActivity));
  const forPeople = {
    tags: ["artifacts"],
    security: [{ userToken: [], publishableKey: [] }],
    middleware: [authenticate("user", keys)] as [Authenticated],
  };

  // Before the routes that take an organization where this says `download`.
  const follow = createRoute({
    method: "get",
    path: "/download/{organization_id}/{id}",
    operationId: "followArtifactLink",
    tags: ["artifacts"],
    summary: "Downloads by a link, without signing in",
    request: {
      params: ofArtifact,
      query: z.object({
        expires: z.coerce.number().int().min(1).max(9_999_999_999),
        key: z.string().max(16),
        signature: z.string().regex(/^[\w-]{43}$/),
      }),
    },
    responses: {
      200: { description: "The file.", content: file },
      ...errorResponses(
        "validation_failed",
        "invalid_link",
        "artifact_not_found",
        "links_unavailable",
        "mongodb_unavailable",
      ),
    },
  });
  app.openapi(follow, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    c.set("organizationId", organization_id);
    await requireLink(linkKeys(), { organizationId: organization_id, id, ...c.req.valid("query") }, clock());
    const { artifact, content } = await artifacts.download(organization_id, id);
    return c.body(content, 200, downloadHeaders(artifact)) as never;
  });

  const upload = createRoute({
    ...forPeople,
    method: "post",
    path: "/{organization_id}",
    operationId: "uploadArtifact",
    summary: "Stores a file, as it comes",
    description: "The body is the file. Its size is reserved from Content-Length, else as it grows.",
    request: {
      params: inOrganization,
      query: z.object({ name, kind: kind.default("other") }),
      body: { required: true, content: file },
    },
    responses: {
      201: { description: "Stored.", content: json(artifact) },
      ...errorResponses(...refusals, "limit_reached", "payload_too_large"),
    },
  });
  app.openapi(upload, async (c) => {
    const { organization_id } = c.req.valid("param");
    c.set("organizationId", organization_id);
    c.header("cache-control", "no-store");
    const { supabase, userClaims } = c.var.supabaseContext;
    const { artifact_bytes } = await connect(supabase, c.var.requestId).limits(
      organization_id,
      "artifacts.write",
    );
    const type = contentType.safeParse(c.req.header("content-type") ?? "application/octet-stream");
    if (!type.success) {
      throw validationFailed(
        "header",
        type.error.issues.map((issue) => ({ ...issue, path: ["content-type"] })),
      );
    }
    const said = c.req.header("content-length");
    const made = await artifacts.upload(
      organization_id,
      {
        ...c.req.valid("query"),
        content_type: type.data,
        by: userClaims?.id,
        ...(said !== undefined && /^\d{1,15}$/.test(said) && { size: Number(said) }),
      },
      piecesOf(c.req.raw.body),
      { limit: artifact_bytes, most: maxUploadBytes },
    );
    c.set("objectId", made._id);
    return c.json(artifactOf(made), 201);
  });

  const list = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}",
    operationId: "listArtifacts",
    summary: "The artifacts, the newest first",
    request: {
      params: inOrganization,
      query: z.object({
        limit: z.coerce.number().int().min(1).max(100).default(25),
        cursor: z.string().max(300).optional(),
        kind: kind.optional(),
      }),
    },
    responses: {
      200: { description: "One page.", content: json(artifactPage) },
      ...errorResponses(...refusals),
    },
  });
  app.openapi(list, async (c) => {
    const { organization_id } = c.req.valid("param");
    const { limit, cursor, kind } = c.req.valid("query");
    await requireReader(c, organization_id);
    const after = cursor === undefined ? undefined : fromCursor(cursor, z.object({ after: uuid })).after;
    const [found, used_bytes] = await Promise.all([
      artifacts.list(organization_id, { limit, after, kind }),
      artifacts.used(organization_id),
    ]);
    const last = found.length === limit ? found.at(-1) : undefined;
    const next_cursor = last ? toCursor({ after: last._id }) : null;
    return c.json({ artifacts: found.map(artifactOf), next_cursor, used_bytes }, 200);
  });

  const get = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{id}",
    operationId: "getArtifact",
    summary: "What is known of an artifact",
    request: { params: ofArtifact },
    responses: {
      200: { description: "Without its content.", content: json(artifact) },
      ...errorResponses(...refusals, "artifact_not_found"),
    },
  });
  app.openapi(get, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    await requireReader(c, organization_id);
    return c.json(artifactOf(await artifacts.get(organization_id, id)), 200);
  });

  const content = createRoute({
    ...forPeople,
    method: "get",
    path: "/{organization_id}/{id}/content",
    operationId: "downloadArtifact",
    summary: "Downloads an artifact",
    request: { params: ofArtifact },
    responses: {
      200: { description: "The file.", content: file },
      ...errorResponses(...refusals, "artifact_not_found"),
    },
  });
  app.openapi(content, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    await requireReader(c, organization_id);
    const { artifact, content } = await artifacts.download(organization_id, id);
    return c.body(content, 200, downloadHeaders(artifact)) as never;
  });

  const share = createRoute({
    ...forPeople,
    middleware: [...forPeople.middleware, limitBody(MAX_LINK_INPUT_BYTES)] as [Authenticated, Authenticated],
    method: "post",
    path: "/{organization_id}/{id}/link",
    operationId: "linkArtifact",
    summary: "A link that downloads without signing in, for a short time",
    request: { params: ofArtifact, body: { required: true, content: json(linkInput) } },
    responses: {
      200: { description: "The link.", content: json(link) },
      ...errorResponses(
        ...refusals,
        "malformed_body",
        "payload_too_large",
        "artifact_not_found",
        "links_unavailable",
      ),
    },
  });
  app.openapi(share, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    await requireReader(c, organization_id);
    await artifacts.get(organization_id, id);
    const expires = Math.floor(clock() / 1000) + c.req.valid("json").expires_in;
    const query = new URLSearchParams(
      await signLink(linkKeys(), { organizationId: organization_id, id, expires }),
    );
    return c.json({
      url: `${url()}/functions/v1/artifacts/download/${organization_id}/${id}?${query}`,
      expires_at: new Date(expires * 1000).toISOString(),
    }, 200);
  });

  const remove = createRoute({
    ...forPeople,
    method: "delete",
    path: "/{organization_id}/{id}",
    operationId: "deleteArtifact",
    summary: "Deletes an artifact, for good",
    request: { params: ofArtifact },
    responses: { 204: { description: "Gone." }, ...errorResponses(...refusals, "artifact_not_found") },
  });
  app.openapi(remove, async (c) => {
    const { organization_id, id } = c.req.valid("param");
    await requireReader(c, organization_id, "artifacts.write");
    await artifacts.remove(organization_id, id);
    return c.body(null, 204);
  });

  type UserContext = Parameters<Parameters<typeof app.openapi<typeof get>>[1]>[0];
  async function requireReader(
    c: Pick<UserContext, "set" | "header" | "var">,
    organizationId: string,
    permission = "artifacts.read",
  ) {
    c.set("organizationId", organizationId);
    c.header("cache-control", "no-store");
    await connect(c.var.supabaseContext.supabase, c.var.requestId).require(organizationId, permission);
  }
  return app;
}

async function* piecesOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of body ?? []) yield piece;
  } catch (error) {
    // The sender went away, or what it sent is no HTTP.
    throw new AppError("malformed_body", { cause: error });
  }
}
