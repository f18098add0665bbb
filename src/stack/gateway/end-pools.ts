import type { Sql } from "postgres";

const SECONDS = 1;

/**
 * Ends pools that may be in the middle of a transaction. Without a limit the driver waits for one whose next statement
 * it refuses already: for ever.
 */
export async function endPools(...pools: Sql[]): Promise<void> {
  await Promise.all(pools.map((pool) => pool.end({ timeout: SECONDS })));
}
