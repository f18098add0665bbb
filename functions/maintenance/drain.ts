import { AppError } from "../_shared/errors.ts";
import { redact } from "../_shared/log.ts";
import type { Backend } from "./backend.ts";
import type { Consumer } from "./consumer.ts";
import type { OutboxReport } from "./schemas.ts";

export interface DrainOptions {
  backend: Pick<Backend, "claim" | "complete" | "fail">;
  admin: Parameters<Consumer["consume"]>[2];
  timeIsUp: () => boolean;
  /** Longer than the time there is, so that no entry is worked on twice at once. */
  leaseSeconds: number;
  onFailure: (kind: string, error: unknown) => void;
}

/** Consumes the open entries of one kind until there are none or the time is up. */
export async function drain(consumer: Consumer, options: DrainOptions): Promise<OutboxReport> {
  const { backend, admin, timeIsUp, leaseSeconds, onFailure } = options;
  const { kind } = consumer;
  const counts = { completed: 0, failed: 0 };
  try {
    if (!consumer.ready()) return { kind, status: "waiting", ...counts };
  } catch (error) {
    // A wrong setting stops this kind, and no other.
    onFailure(kind, error);
    return { kind, status: "failed", ...counts };
  }

  while (!timeIsUp()) {
    const entry = await backend.claim(kind, leaseSeconds);
    if (!entry) return { kind, status: counts.failed > 0 ? "failed" : "done", ...counts };
    try {
      // Its lease runs out, and it comes again.
      if (!await consumer.consume(entry, timeIsUp, admin)) break;
    } catch (error) {
      onFailure(kind, error);
      await backend.fail(entry.id, sentence(error));
      counts.failed++;
      continue;
    }
    await backend.complete(entry.id);
    counts.completed++;
  }
  return { kind, status: counts.failed > 0 ? "failed" : "unfinished", ...counts };
}

function sentence(error: unknown): string {
  if (error instanceof AppError) return error.code;
  return error instanceof Error ? redact(`${error.name}: ${error.message}`) : "unknown";
}
