import type { ActivityRecord } from "../_shared/activity.ts";
import { activityEntries, type ActivityEntry } from "./activity-entries.ts";
import type { Documents, Tenant } from "./documents.ts";
import { above, absent, anyOf, atLeast, below, type Where } from "./where.ts";

export interface ActivityQuery {
  limit: number;
  /** The last id of the page before. */
  before?: string | undefined;
  actor_id?: string | undefined;
  object_id?: string | undefined;
  /** Milliseconds since 1970: from then on, and before then. */
  from?: number | undefined;
  to?: number | undefined;
}

export type ActivityStore = ReturnType<typeof createActivityStore>;

const DAY_MS = 86_400_000;
const entries = (tenant: Tenant) => tenant.collection(activityEntries);

/** What was done in an organization. Entries are written once, and go by themselves. */
export function createActivityStore(
  documents: Documents,
  { clock = Date.now }: { clock?: (() => number) | undefined } = {},
) {
  /** Keeps entries for so many days; null is for good. Those that are there already are passed over. */
  const write = (
    organizationId: string,
    records: readonly ActivityRecord[],
    days: number | null,
  ): Promise<number> =>
    documents.run(organizationId, async (tenant) => {
      if (days !== null && days <= 0) return 0;
      return await entries(tenant).insertMany(
        records.map(({ id, actor, action, object, request_id, details }) => ({
          _id: id,
          actor_kind: actor.kind,
          ...(actor.id !== undefined && { actor_id: actor.id }),
          action,
          ...(object && { object_kind: object.kind, object_id: object.id }),
          ...(request_id !== undefined && { request_id }),
          ...(details !== undefined && { details }),
          ...(days !== null && { expires_at: new Date(timeOf(id) + days * DAY_MS) }),
        })),
      );
    });

  /** The newest first. */
  const list = (organizationId: string, query: ActivityQuery): Promise<ActivityEntry[]> =>
    documents.run(organizationId, (tenant) => {
      const { before, actor_id, object_id, from, to, limit } = query;
      const where: Where<ActivityEntry> = [
        { ...(actor_id !== undefined && { actor_id }), ...(object_id !== undefined && { object_id }) },
        ...(before !== undefined ? [{ _id: below(before) }] : []),
        ...(from !== undefined ? [{ _id: atLeast(firstIdOf(from)) }] : []),
        ...(to !== undefined ? [{ _id: below(firstIdOf(to)) }] : []),
        // MongoDB deletes once a minute.
        anyOf<ActivityEntry>({ expires_at: absent() }, { expires_at: above(new Date(clock())) }),
      ];
      return entries(tenant).find(where, { sort: { _id: -1 }, limit });
    });

  return { write, list };
}

/** When an id was made, in milliseconds since 1970: a UUID of version 7 begins with it. */
export const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

/** What no id of an earlier millisecond comes after. */
function firstIdOf(time: number): string {
  const hex = Math.min(Math.max(0, Math.floor(time)), 2 ** 48 - 1).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
