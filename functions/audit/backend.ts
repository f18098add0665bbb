import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { columns, type ExportedEntry } from "./formats.ts";

/** Which part of the log: from one time on, to before another. */
export interface Range {
  organizationId: string;
  from?: string | undefined;
  to?: string | undefined;
}

/** The database as the caller sees it. Throws AppErrors. */
export interface Backend {
  /**
   * Writes into the log that it is exported, and gives that entry's number.
   *
   * @throws {AppError} `not_permitted`, whether the organization is another's or none.
   */
  logExport(range: Range, format: string): Promise<number>;
  /** The next entries behind a number, up to another, in order. */
  page(
    range: Range,
    after: number,
    upTo: number,
    limit: number,
    signal?: AbortSignal,
  ): Promise<ExportedEntry[]>;
}

export function createBackend(
  supabase: SupabaseContext<Database>["supabase"],
  requestId: string,
): Backend {
  return {
    async logExport({ organizationId, from, to }, format) {
      const details = { format, ...(from && { from }), ...(to && { to }) };
      const args = { p_organization_id: organizationId, p_action: "audit.export", p_details: details };
      return dataOf(await supabase.rpc("log_audit_call", args).setHeader("x-request-id", requestId));
    },
    async page({ organizationId, from, to }, after, upTo, limit, signal) {
      let query = supabase.from("audit_log").select(columns.join(", ") as "*")
        .eq("organization_id", organizationId).gt("seq", after).lte("seq", upTo);
      if (from) query = query.gte("occurred_at", from);
      if (to) query = query.lt("occurred_at", to);
      const ordered = query.order("seq").limit(limit);
      const rows = dataOf(await (signal ? ordered.abortSignal(signal) : ordered));
      return rows.map((row) => ({
        ...row,
        previous_hash: hex(row.previous_hash),
        hash: hex(row.hash),
      }));
    },
  };
}

/** PostgreSQL writes bytes as `\x…`. */
const hex = (bytes: string) => bytes.replace(/^\\x/, "");
