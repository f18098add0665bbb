import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";

/** What a job did in the time there was. */
export interface JobResult {
  /** `unfinished`: the time was up; the next call goes on. */
  status: "done" | "unfinished";
  /** How many things it changed. */
  count: number;
}

/** Periodic work outside of the database, which goes on where it stopped. */
export interface Job {
  name: string;
  /** False where this backend is set up without what it needs. */
  ready(): boolean;
  run(admin: SupabaseContext<Database>["supabaseAdmin"], timeIsUp: () => boolean): Promise<JobResult>;
}
