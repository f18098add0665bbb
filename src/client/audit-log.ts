import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import { type Outcome, outcome } from "./outcome.ts";

const columns =
  "seq, occurred_at, actor_kind, actor_id, on_behalf_of, action, object_id, before, after, request_id, ip";

/** What the backend gives at once, however much is asked for. */
const MOST_ROWS = 1000;

/** One change, or one privileged call: who, what, when and from where. */
export type AuditEntry = Pick<
  Database["public"]["Tables"]["audit_log"]["Row"],
  | "seq"
  | "occurred_at"
  | "actor_kind"
  | "actor_id"
  | "on_behalf_of"
  | "action"
  | "object_id"
  | "before"
  | "after"
  | "request_id"
> & { ip: string | null };

export interface AuditLogOptions {
  /** Only what happened at this time or later. ISO 8601. */
  since?: string;
  /** Only what happened before this time. ISO 8601. */
  until?: string;
  /** Only this action, such as `memberships.delete`. */
  action?: string;
  /** Default false: in the order in which things happened. */
  newestFirst?: boolean;
  /** Most entries in a page, up to 1,000. Default 100. */
  pageSize?: number;
  signal?: AbortSignal;
}

/** Reads the log page by page. Each page begins where the one before ended, whatever is written meanwhile. */
export async function* readAuditLog(
  supabase: SupabaseClient<Database>,
  organizationId: string,
  { since, until, action, newestFirst = false, pageSize = 100, signal }: AuditLogOptions = {},
): AsyncGenerator<Outcome<AuditEntry[], never>, void, undefined> {
  const limit = Math.min(pageSize, MOST_ROWS);
  let last: number | undefined;
  for (;;) {
    let query = supabase.from("audit_log").select(columns).eq("organization_id", organizationId);
    if (since) query = query.gte("occurred_at", since);
    if (until) query = query.lt("occurred_at", until);
    if (action) query = query.eq("action", action);
    if (last !== undefined) query = newestFirst ? query.lt("seq", last) : query.gt("seq", last);
    const ordered = query.order("seq", { ascending: !newestFirst }).limit(limit);
    const page = await outcome(
      (signal ? ordered.abortSignal(signal) : ordered) as PromiseLike<{
        data: AuditEntry[] | null;
        error: unknown;
        status: number;
      }>,
      [],
    );
    if (page.error) return yield page;
    if (page.data.length > 0) yield page;
    last = page.data.at(-1)?.seq;
    if (page.data.length < limit || last === undefined) return;
  }
}
