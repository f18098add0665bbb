import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import type { OutboxEntry } from "./backend.ts";

/**
 * What is done about one kind of outbox entry. Entries come at least once: a consumer does nothing the second time, and
 * takes up what it left unfinished.
 */
export interface Consumer {
  kind: string;
  /** False where this backend is set up without the store: entries then wait. */
  ready(): boolean;
  /** Resolves to whether all is done; false when the time was up first. */
  consume(
    entry: OutboxEntry,
    timeIsUp: () => boolean,
    admin: SupabaseContext<Database>["supabaseAdmin"],
  ): Promise<boolean>;
}
