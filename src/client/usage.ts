import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import { type CallOptions, createCaller } from "./call.ts";
import type { Outcome } from "./outcome.ts";

/** What was used in one bucket of time. */
export interface UsageBucket {
  /** Where it begins, in UTC. ISO 8601. */
  bucket: string;
  /** The application or key; null without groups, and for usage that names none. */
  group_id: string | null;
  quantity: number;
  events: number;
}

export interface UsageQuestion extends CallOptions {
  /** Such as `api_requests`. */
  metric: string;
  /** ISO 8601; the answer has the whole buckets that the range touches, at most 400. */
  from: string;
  /** ISO 8601; left out itself. */
  to: string;
  /** Default `day`. Hours are kept for 13 months. */
  granularity?: "hour" | "day" | "month";
  /** Default none: one sum for each bucket, without gaps. With groups, buckets without usage are left out. */
  groupBy?: "application" | "api_key";
}

/** What an organization used, for those with `usage.read`. Nothing here throws. */
export type UsageClient = ReturnType<typeof createUsageClient>;

export function createUsageClient(supabase: SupabaseClient<Database>) {
  const call = createCaller(supabase);

  return {
    /**
     * Usage over time, exact to the last event.
     *
     * @example
     * ```ts
     * const { data, error } = await nectar.usage.summary(organization.id, {
     *   metric: "api_requests",
     *   from: "2026-11-01T00:00:00Z",
     *   to: "2026-12-01T00:00:00Z",
     * });
     * ```
     */
    summary: (
      organizationId: string,
      { metric, from, to, granularity, groupBy, ...options }: UsageQuestion,
    ) =>
      call(
        "usage_summary",
        {
          p_organization_id: organizationId,
          p_metric: metric,
          p_from: from,
          p_to: to,
          ...(granularity && { p_granularity: granularity }),
          ...(groupBy && { p_group_by: groupBy }),
        },
        ["invalid_granularity", "invalid_group_by", "invalid_range", "too_many_buckets", "hours_not_kept"],
        options,
      ) as Promise<
        Outcome<
          UsageBucket[],
          "invalid_granularity" | "invalid_group_by" | "invalid_range" | "too_many_buckets" | "hours_not_kept"
        >
      >,
  };
}
