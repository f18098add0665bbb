import { createRoute, z } from "@hono/zod-openapi";
import { fromCursor, toCursor } from "../_documents/cursor.ts";
import { authenticate } from "../_shared/auth.ts";
import { errorResponses } from "../_shared/responses.ts";
import { uuid } from "../_shared/validation.ts";
import { organizationBySlug } from "./backend.ts";
import { live, liveRoutes } from "./schemas.ts";
import { answer, type Setting } from "./setting.ts";

const refusals = [
  "validation_failed",
  "missing_credentials",
  "invalid_api_key",
  "organization_not_found",
  "database_unavailable",
  "mongodb_unavailable",
] as const;

const organization = z.union([uuid, z.string().regex(/^[a-z0-9-]{3,48}$/)]).openapi({
  description: "Its slug, or its id where that is known: then PostgreSQL is not asked.",
});
/** `GET /orders/7`, or a workflow's slug or id. */
const route = z.string().min(1).max(2000).openapi({
  description: "A workflow's slug or id, or the method and path of a request, such as `GET /orders/7`.",
});

/** What is live, for the runtime: servers with a secret key only. */
export function registerLive({ app, workflows, keys, findOrganization = organizationBySlug }: Setting & {
  findOrganization?: typeof organizationBySlug;
}): void {
  const forServers = {
    tags: ["workflows"],
    security: [{ secretKey: [] }],
    middleware: [authenticate("secret", keys)] as [ReturnType<typeof authenticate>],
  };

  const list = createRoute({
    ...forServers,
    method: "get",
    path: "/published/{organization}",
    operationId: "listLiveRoutes",
    summary: "What answers which method and path",
    request: {
      params: z.object({ organization }),
      query: z.object({
        limit: z.coerce.number().int().min(1).max(1000).default(1000),
        cursor: z.string().max(300).optional(),
      }),
    },
    responses: { 200: answer("One page.", liveRoutes), ...errorResponses(...refusals) },
  });
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const organizationId = await idOf(c.req.valid("param").organization, c.var.supabaseContext.supabaseAdmin);
    c.set("organizationId", organizationId);
    const after = cursor === undefined ? undefined : fromCursor(cursor, z.object({ after: uuid })).after;
    const found = await workflows.routes(organizationId, { limit, after });
    const last = found.length === limit ? found.at(-1) : undefined;
    const routes = found.map(({ _id, slug, live_route = "", latest_version, latest_hash = null }) => ({
      workflow_id: _id,
      slug,
      route: live_route,
      version: latest_version,
      content_hash: latest_hash,
    }));
    return c.json({ routes, next_cursor: last ? toCursor({ after: last._id }) : null }, 200);
  });

  const get = createRoute({
    ...forServers,
    method: "get",
    path: "/published/{organization}/{version}",
    operationId: "getLiveWorkflow",
    summary: "A published version, by its route",
    description:
      "A version never changes, but what leads to it does: ask with If-None-Match, which 304 answers.",
    request: {
      params: z.object({
        organization,
        version: z.union([z.literal("latest"), z.coerce.number().int().min(1)]),
      }),
      query: z.object({ route }),
    },
    responses: {
      200: answer("The version.", live),
      304: { description: "What you have is what is live." },
      ...errorResponses(...refusals, "workflow_not_found", "version_not_found"),
    },
  });
  app.openapi(get, async (c) => {
    const { organization, version: wanted } = c.req.valid("param");
    const organizationId = await idOf(organization, c.var.supabaseContext.supabaseAdmin);
    c.set("organizationId", organizationId);
    const { slug, version } = await workflows.live(
      organizationId,
      namedBy(c.req.valid("query").route),
      wanted,
    );
    const { workflow_id, number, content_hash, published_at, definition } = version;
    // A later version may bring a content back; and a slug or a route may become another workflow's.
    const etag = `"v${number}.${content_hash}"`;
    c.header("etag", etag);
    c.header("cache-control", "private, no-cache");
    if (c.req.header("if-none-match")?.includes(etag)) return c.body(null, 304);
    const about = JSON.stringify({ workflow_id, slug, version: number, content_hash, published_at });
    // The definition is kept as text: it goes out as it is.
    return c.body(`${about.slice(0, -1)},"definition":${definition}}`, 200, {
      "content-type": "application/json",
    }) as never;
  });

  const idOf = (organization: string, admin: Parameters<typeof organizationBySlug>[0]) =>
    uuid.safeParse(organization).success ? organization : findOrganization(admin, organization);
}

function namedBy(route: string) {
  const [, method, path] = route.match(/^([A-Z]+) (\/.*)$/) ?? [];
  if (method !== undefined && path !== undefined) return { method, path };
  const id = uuid.safeParse(route).data;
  return id === undefined ? { slug: route } : { id };
}
