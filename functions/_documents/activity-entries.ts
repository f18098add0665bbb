import { z } from "zod";
import { defineCollection, stored } from "./definition.ts";

/** What was done, by whom, to what; `_id` tells when. */
export const activityEntries = defineCollection({
  name: "activity",
  version: 1,
  writtenOnce: true,
  schema: stored.extend({
    actor_kind: z.enum(["user", "api_key", "server"]),
    actor_id: z.string().max(200).optional(),
    action: z.string().max(100),
    object_kind: z.string().max(50).optional(),
    object_id: z.string().max(200).optional(),
    request_id: z.string().max(128).optional(),
    /** JSON text. */
    details: z.string().max(1024).optional(),
    /** By the plan at the time it was written; absent: kept. */
    expires_at: z.date().optional(),
  }),
  indexes: [
    { name: "activity_time", key: { organization_id: 1, _id: -1 } },
    {
      name: "activity_actor",
      key: { organization_id: 1, actor_id: 1, _id: -1 },
      where: { actor_id: { $exists: true } },
    },
    {
      name: "activity_object",
      key: { organization_id: 1, object_id: 1, _id: -1 },
      where: { object_id: { $exists: true } },
    },
    { name: "activity_expiry", key: { expires_at: 1 }, expireAfterSeconds: 0 },
  ],
});
export type ActivityEntry = z.infer<typeof activityEntries.schema>;
