import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import { type Outcome, outcome } from "./outcome.ts";

type Rpcs = Database["public"]["Functions"];

/** Ends a call from outside. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** Calls functions of the database, each with the codes that its comment in SQL names. */
export const createCaller =
  (supabase: SupabaseClient<Database>) =>
  <Name extends keyof Rpcs, const Code extends string>(
    name: Name,
    args: Rpcs[Name]["Args"],
    codes: readonly Code[],
    { signal }: CallOptions = {},
  ): Promise<Outcome<Rpcs[Name]["Returns"], Code>> => {
    const request = supabase.rpc(name, args as never);
    // The generic call cannot see that a name and its result belong together.
    return outcome((signal ? request.abortSignal(signal) : request) as never, codes);
  };

/** The one row of an answer that has one. */
export async function first<T, Code extends string>(
  rows: Promise<Outcome<T[], Code>>,
): Promise<Outcome<T, Code>> {
  const { data, error } = await rows;
  return error ? { data: null, error } : { data: data[0] as T, error: null };
}
