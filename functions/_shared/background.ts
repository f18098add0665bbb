/** Keeps a hosted worker alive until work that nobody waits for is done. Failures are the work's own to tell. */
export function inBackground(work: Promise<unknown>): void {
  const guarded = work.catch(() => {});
  const { EdgeRuntime } = globalThis as { EdgeRuntime?: { waitUntil?: (work: Promise<unknown>) => void } };
  EdgeRuntime?.waitUntil?.(guarded);
}
