import { createRoute, z } from "@hono/zod-openapi";
import type { CacheStore } from "../_documents/cache-store.ts";
import { errorResponses } from "../_shared/responses.ts";
import { uuid } from "../_shared/validation.ts";
import {
  answer,
  body,
  callerOf,
  forPeople,
  forPeopleWithBody,
  inOrganization,
  refusals,
  type Setting,
} from "./setting.ts";

const count = z.int().min(0);
const size = { entries: count, bytes: count };

const statistics = z.object({
  ...size,
  workflows: z.array(z.object({ workflow_id: uuid, ...size })).openapi({
    description: "Those with the most entries, at most 1,000.",
  }),
  hits: count,
  stale_hits: count,
  misses: count,
  counted_since: z.iso.datetime().nullable().openapi({
    description: "Since when hits and misses are counted; null: nothing was cached yet.",
  }),
}).openapi("CacheStatistics");

const purge = z.union([
  z.strictObject({ workflow_id: uuid }),
  z.strictObject({ tag: z.string().min(1).max(100) }),
  z.strictObject({ all: z.literal(true) }),
]).openapi("CachePurge");

/** What is kept of answers, and how it goes before its time. */
export function registerCache(setting: Setting & { cache: CacheStore }): void {
  const { app, cache } = setting;

  const read = createRoute({
    ...forPeople(setting),
    method: "get",
    path: "/{organization_id}/cache",
    operationId: "getCacheStatistics",
    summary: "What the cache of answers holds, and how often it helped",
    request: { params: inOrganization },
    responses: { 200: answer("Figures.", statistics), ...errorResponses(...refusals) },
  });
  app.openapi(read, async (c) => {
    const { organization_id } = c.req.valid("param");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.write");
    const { counted_since, ...figures } = await cache.statistics(organization_id);
    return c.json({ ...figures, counted_since: counted_since?.toISOString() ?? null }, 200);
  });

  const remove = createRoute({
    ...forPeopleWithBody(setting),
    method: "post",
    path: "/{organization_id}/cache/purge",
    operationId: "purgeCache",
    summary: "Deletes answers: of a workflow, under a tag, or all",
    description: "Answers that are being made at the moment are given to who asked for them, and not kept.",
    request: { params: inOrganization, body: body(purge) },
    responses: {
      200: answer("How many went.", z.object({ removed: count }).openapi("CachePurged")),
      ...errorResponses(...refusals, "malformed_body", "payload_too_large"),
    },
  });
  app.openapi(remove, async (c) => {
    const { organization_id } = c.req.valid("param");
    const { backend } = callerOf(setting, c, organization_id);
    await backend.requirePermission(organization_id, "workflows.write");
    return c.json({ removed: await cache.invalidate(organization_id, c.req.valid("json")) }, 200);
  });
}
