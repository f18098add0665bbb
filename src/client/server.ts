import { checkApiKey } from "./api.ts";
import { fromAnswer, fromThrown, isRecord, type NectarError } from "./errors.ts";

/** What was used once. */
export interface UsageReport {
  /** Such as `rows_read`. */
  metric: string;
  /** A whole number, 1 to 1,000,000,000,000. Default 1. */
  quantity?: number;
  /** Default now. Events are taken up to 35 days late. */
  occurredAt?: Date;
  /** Counts once within the organization. Default: made anew, so that this report counts once however often it is sent. */
  idempotencyKey?: string;
  /** Facts of your own, at most 1 KiB as it is stored: each number in a list takes 12 bytes. */
  dimensions?: Record<string, unknown>;
}

/** A report that the backend refused, and why. Sending it again would be in vain. */
export interface RefusedReport {
  report: UsageReport;
  reason: string;
}

export interface UsageReporterOptions {
  /** The project's URL, such as `https://<ref>.supabase.co`. */
  url: string;
  /** `nk_live_…`: an API key with the scope `usage.write`. Its organization and application are the report's. */
  apiKey: string;
  /** Most reports in a batch, up to 1,000. Default 500. */
  batchSize?: number;
  /** Most milliseconds that a report waits for others. Default 5,000. */
  maxDelayMs?: number;
  /** Most reports that wait for a backend that is away; what comes beyond is not taken. Default 50,000. */
  capacity?: number;
  /** Called for reports that are refused for what they are. */
  onRefused?: (refused: RefusedReport[]) => void;
  /** Called when a batch could not be sent; it is kept and tried again. */
  onError?: (error: NectarError) => void;
  /** Instead of the runtime's own. */
  fetch?: typeof fetch;
}

/** Reports usage from your own servers. */
export interface UsageReporter {
  /** Takes a report and returns at once; false when there is no room for it, or it is no JSON. Never throws. */
  report(report: UsageReport): boolean;
  /** Sends what waits. Resolves to whether nothing waits any more. Never throws. */
  flush(): Promise<boolean>;
  /** Sends what waits and takes no more. Resolves to whether nothing was left. */
  close(): Promise<boolean>;
}

interface Waiting {
  report: UsageReport;
  /** As JSON, made at once: what it was made of may change while it waits. */
  event: string;
}

const LONGEST_WAIT = 60_000;
/** However long the backend says: a timer of more than 24 days would ring at once, and again. */
const LONGEST_TIMER = 3_600_000;
const LARGEST_BATCH = 1_000;

/**
 * Collects reports and sends them in batches. Each has its key and its time from the moment it is taken: however often
 * a batch is sent again, it counts once.
 *
 * @throws {TypeError} when `url` is not a URL, or the key is none of ours.
 * @throws {RangeError} when `batchSize` is not between 1 and 1,000.
 *
 * @example
 * ```ts
 * const usage = createUsageReporter({ url: "https://<ref>.supabase.co", apiKey: process.env.NECTAR_API_KEY! });
 * usage.report({ metric: "rows_read", quantity: rows.length });
 * process.on("SIGTERM", async () => process.exit((await usage.close()) ? 0 : 1));
 * ```
 */
export function createUsageReporter({
  url,
  apiKey,
  batchSize = 500,
  maxDelayMs = 5_000,
  capacity = 50_000,
  onRefused = () => {},
  onError = () => {},
  fetch: send = fetch,
}: UsageReporterOptions): UsageReporter {
  const address = new URL(`${url.replace(/\/+$/, "")}/functions/v1/api/usage`);
  checkApiKey(apiKey);
  if (!(Number.isInteger(batchSize) && batchSize >= 1 && batchSize <= LARGEST_BATCH)) {
    throw new RangeError(`batchSize is a whole number from 1 to ${LARGEST_BATCH}.`);
  }
  // Apart: whatever they throw is theirs, and stops no report.
  const tellRefused = (refused: RefusedReport[]) => queueMicrotask(() => onRefused(refused));
  const tellError = (error: NectarError) => queueMicrotask(() => onError(error));
  const waiting: Waiting[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sending: Promise<boolean> | undefined;
  let failures = 0;
  let closed = false;

  function wake(milliseconds: number) {
    if (timer || closed) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        void flush();
      },
      Math.min(milliseconds, LONGEST_TIMER),
    );
    // Reports that wait do not keep a process alive: close() is for that.
    (timer as { unref?: () => void }).unref?.();
  }

  function flush(): Promise<boolean> {
    sending ??= drain().finally(() => {
      sending = undefined;
    });
    return sending;
  }

  async function drain(): Promise<boolean> {
    clearTimeout(timer);
    timer = undefined;
    let size = batchSize;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, size);
      const { error, refused, retryAfterMs, tooLarge } = await post(batch);
      if (tooLarge) {
        size = Math.ceil(batch.length / 2);
        continue;
      }
      if (error) {
        failures++;
        tellError(error);
        // What was reported meanwhile has set it for a backend that answers.
        clearTimeout(timer);
        timer = undefined;
        wake(Math.max(retryAfterMs ?? 0, Math.min(1_000 * 2 ** (failures - 1), LONGEST_WAIT)));
        return false;
      }
      failures = 0;
      waiting.splice(0, batch.length);
      if (refused.length > 0) tellRefused(refused);
    }
    return true;
  }

  async function post(batch: Waiting[]): Promise<{
    error?: NectarError;
    refused: RefusedReport[];
    retryAfterMs?: number;
    tooLarge?: boolean;
  }> {
    try {
      const response = await send(address, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
        body: `{"events":[${batch.map(({ event }) => event).join()}]}`,
        signal: AbortSignal.timeout(30_000),
      });
      const body: unknown = await response.json().catch(() => undefined);
      if (response.ok && isRecord(body) && Array.isArray(body["rejected"])) {
        return { refused: refusedOf(batch, body["rejected"]) };
      }
      const error = fromAnswer(body, response);
      if (response.status === 413 && batch.length > 1) return { refused: [], tooLarge: true };
      // Whatever is wrong with such a batch is wrong with it the next time too.
      if (response.status === 400 || response.status === 413) {
        return { refused: batch.map(({ report }) => ({ report, reason: error.code })) };
      }
      const seconds = Number(response.headers.get("retry-after"));
      return { error, refused: [], ...(seconds > 0 && { retryAfterMs: seconds * 1000 }) };
    } catch (thrown) {
      return { error: fromThrown(thrown), refused: [] };
    }
  }

  return {
    report(report) {
      if (closed || waiting.length >= capacity) return false;
      try {
        waiting.push({ report, event: JSON.stringify(eventOf(report)) });
      } catch {
        tellRefused([{ report, reason: "not_json" }]);
        return false;
      }
      if (waiting.length >= batchSize && failures === 0) void flush();
      else wake(maxDelayMs);
      return true;
    },
    flush,
    async close() {
      closed = true;
      await sending;
      return await flush();
    },
  };
}

function eventOf({ metric, quantity = 1, occurredAt = new Date(), idempotencyKey, dimensions }: UsageReport) {
  return {
    // Begins with the time: the backend's index of keys grows at one end.
    idempotency_key: idempotencyKey ?? `${Date.now().toString(36)}-${crypto.randomUUID()}`,
    metric,
    quantity,
    occurred_at: occurredAt.toISOString(),
    ...(dimensions && { dimensions }),
  };
}

function refusedOf(batch: Waiting[], rejected: unknown[]): RefusedReport[] {
  return rejected.flatMap((entry) => {
    if (!isRecord(entry)) return [];
    const at = batch[Number(entry["index"])];
    return at ? [{ report: at.report, reason: String(entry["reason"]) }] : [];
  });
}
