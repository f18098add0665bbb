import type { components } from "../../types/functions.ts";
import type { FunctionsClient } from "./functions.ts";
import type { CallOptions } from "./organizations.ts";
import { pages } from "./workflows.ts";

export type ActivityEntry = components["schemas"]["ActivityEntry"];

export interface ActivityListOptions extends CallOptions {
  /** Most entries in a page, up to 500. Default 50. */
  pageSize?: number;
  actorId?: string;
  objectId?: string;
  /** From this time on, and before that one. */
  from?: Date;
  to?: Date;
}

/** What people, keys and servers did: for members with `activity.read`. Nothing here throws. */
export type ActivityClient = ReturnType<typeof createActivityClient>;

export function createActivityClient(functions: FunctionsClient) {
  return {
    /**
     * The newest first, page by page, each a result; it ends after the last page or the first error.
     *
     * @example
     * ```ts
     * for await (const { data, error } of nectar.activity.list(organization.id, { actorId: user.id })) {
     *   if (error) return show(error);
     *   for (const { at, action } of data) console.log(at, action);
     * }
     * ```
     */
    list: (
      organizationId: string,
      { pageSize, actorId, objectId, from, to, signal }: ActivityListOptions = {},
    ) =>
      pages<ActivityEntry>(async (cursor) => {
        const { data, error } = await functions.GET("/activity/{organization_id}", {
          params: {
            path: { organization_id: organizationId },
            query: {
              ...(cursor && { cursor }),
              ...(pageSize && { limit: pageSize }),
              ...(actorId && { actor_id: actorId }),
              ...(objectId && { object_id: objectId }),
              ...(from && { from: from.toISOString() }),
              ...(to && { to: to.toISOString() }),
            },
          },
          ...(signal && { signal }),
        });
        return data ? { data: data.entries, next: data.next_cursor } : { error };
      }),
  };
}
