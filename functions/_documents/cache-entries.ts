import { z } from "zod";
import { defineCollection, stored } from "./definition.ts";

/** Most bytes of one answer that is kept. */
export const MAX_ENTRY_BYTES = 1024 * 1024;
export const MAX_CONTENT_TYPE = 200;

const count = z.number().int().min(0);

/** An answer of a workflow's version to certain parameters, or, without a body, somebody's intent to make it. */
export const cacheEntries = defineCollection({
  name: "cache_entries",
  version: 2,
  schema: stored.extend({
    workflow_id: z.string().max(36),
    workflow_version: z.number().int().min(1),
    tags: z.array(z.string().max(100)).max(40),
    status: z.number().int().optional(),
    content_type: z.string().max(MAX_CONTENT_TYPE).optional(),
    body: z.string().max(MAX_ENTRY_BYTES).optional(),
    bytes: count,
    made_at: z.date(),
    fresh_until: z.date(),
    /** Until when the answer is given while a new one is made. */
    stale_until: z.date().optional(),
    /** When MongoDB may delete it: not while somebody makes it anew. */
    expires_at: z.date(),
    /** Who makes it, or makes it anew, and until when nobody else does. */
    lease: z.string().max(36).optional(),
    lease_until: z.date(),
  }),
  indexes: [
    { name: "cache_age", key: { organization_id: 1, made_at: 1 } },
    // Sums are taken from the index alone.
    { name: "cache_workflow", key: { organization_id: 1, workflow_id: 1, bytes: 1 } },
    { name: "cache_tags", key: { organization_id: 1, tags: 1 } },
    { name: "cache_expiry", key: { expires_at: 1 }, expireAfterSeconds: 0 },
  ],
});
export type CacheEntry = z.infer<typeof cacheEntries.schema>;

/** What an organization's entries come to; `_id` is the organization. */
export const cacheUsage = defineCollection({
  name: "cache_usage",
  version: 1,
  schema: stored.extend({
    /** Never less than there are: what expires is found out when the limit is reached. */
    bytes: count,
    hits: count,
    stale_hits: count,
    misses: count,
    /** Stored since. */
    counted_since: z.date(),
  }),
  indexes: [{ name: "cache_usage", key: { organization_id: 1, _id: 1 } }],
});
export type CacheUsage = z.infer<typeof cacheUsage.schema>;
