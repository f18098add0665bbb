import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";

/** What other systems must hear of: it stays open until it is completed. */
export interface OutboxEntry {
  id: number;
  organization_id: string;
  payload: unknown;
  /** How often it was claimed, this time included. */
  attempts: number;
}

/** The database's side of maintenance. Every call throws an AppError when the database refuses or is away. */
export interface Backend {
  /** The result of each task: a count, or `failed: SQLSTATE`; undefined when another run is under way. */
  runTasks(): Promise<Record<string, unknown> | undefined>;
  /** Takes one open entry, which nobody else gets for that long. */
  claim(kind: string, leaseSeconds: number): Promise<OutboxEntry | undefined>;
  complete(id: number): Promise<void>;
  /** It comes again: a minute later, then two, four … */
  fail(id: number, error: string): Promise<void>;
}

export function createBackend(
  admin: SupabaseContext<Database>["supabaseAdmin"],
  requestId: string,
): Backend {
  const call: typeof admin.rpc =
    ((name: never, args: never) => admin.rpc(name, args).setHeader("x-request-id", requestId)) as never;
  return {
    async runTasks() {
      const results = dataOf(await call("run_maintenance")) as Record<string, unknown>;
      return "skipped" in results ? undefined : results;
    },
    async claim(kind, leaseSeconds) {
      const claimed = await call("claim_outbox", { p_kind: kind, p_limit: 1, p_lease_seconds: leaseSeconds });
      return dataOf(claimed)[0];
    },
    async complete(id) {
      dataOf(await call("complete_outbox", { p_ids: [id] }));
    },
    async fail(id, error) {
      dataOf(await call("fail_outbox", { p_id: id, p_error: error }));
    },
  };
}
