import { setTimeout as sleep } from "node:timers/promises";

/** As long as a test takes, on a busy machine. */
const TEST_MS = 30_000;

/**
 * Waits for the next month (UTC) where this one is about to end: usage is counted by month, and what a test counts must
 * not fall into two. For `beforeEach`, or before a file's first test with the time that all of them take.
 */
export async function sameMonth(ms = TEST_MS): Promise<void> {
  const now = new Date();
  const left = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1) - now.getTime();
  // The database's clock may be a moment behind.
  if (left < ms) await sleep(left + 1000);
}
