import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import type { CallOptions } from "./call.ts";
import { type Outcome, outcome } from "./outcome.ts";

const columns = "metric, unit, maximum, used, remaining, overage, period_start, period_end, projected, state";

/** What an organization may use of one thing, and has used. */
export interface Limit {
  /** A metric such as `api_requests`, or what there is at once: `seats`, `api_keys`. */
  metric: string;
  /** `per_month`, or `count` for what there is at once. */
  unit: string;
  /** Null: no limit. */
  maximum: number | null;
  used: number;
  /** Null: no limit. */
  remaining: number | null;
  /** True: what goes beyond is billed rather than refused. */
  overage: boolean;
  /** The month in UTC; null for what there is at once. ISO 8601. */
  period_start: string | null;
  period_end: string | null;
  /** What the month comes to if it goes on like this; null for what there is at once. */
  projected: number | null;
  /** `near` from 80 % on. */
  state: "ok" | "near" | "reached" | "exceeded" | "unlimited";
}

/** Limits, for those with `usage.read`. Nothing here throws. */
export type LimitsClient = ReturnType<typeof createLimitsClient>;

export function createLimitsClient(supabase: SupabaseClient<Database>) {
  return {
    /** All limits of an organization; none without `usage.read`. */
    list(organizationId: string, { signal }: CallOptions = {}): Promise<Outcome<Limit[], never>> {
      const query = supabase
        .from("organization_limits")
        .select(columns)
        .eq("organization_id", organizationId)
        .order("metric");
      return outcome((signal ? query.abortSignal(signal) : query) as never, []);
    },
  };
}
