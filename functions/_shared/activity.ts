import { inBackground } from "./background.ts";
import { describeError, type Log, logToConsole } from "./log.ts";

/** Something that a person, a key or a server did. */
export interface ActivityEvent {
  organization_id: string;
  actor: { kind: "user" | "api_key" | "server"; id?: string | undefined };
  /** Such as `workflows.publish`. */
  action: string;
  object?: { kind: string; id: string } | undefined;
  request_id?: string | undefined;
  /** A few facts, at most 1 KiB as JSON. */
  details?: Record<string, string | number | boolean | null> | undefined;
}

/** An event that waits to be written. */
export interface ActivityRecord extends Omit<ActivityEvent, "organization_id" | "details"> {
  id: string;
  /** JSON text. */
  details?: string;
}

/** Notes what was done. It never waits, and never throws. */
export type RecordActivity = (event: ActivityEvent) => void;

export interface ActivityWriterOptions {
  /** Writes events of one organization. Events that were written already do no harm. */
  write: (organizationId: string, records: ActivityRecord[]) => Promise<unknown>;
  /** Ids in the order of time. */
  newId: (now: number) => string;
  log?: Log;
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** Most events that wait, those that are being written included. Default 10,000. */
  capacity?: number;
  /** So many are written at once, as soon as they wait. Default 1,000. */
  batch?: number;
  /** Most milliseconds that an event waits while the store answers. Default 1,000. */
  intervalMs?: number;
}

export interface ActivityWriter {
  record: RecordActivity;
  /** Writes what waits; it resolves when nothing does, or when the store does not take it. */
  flush(): Promise<void>;
  /** Writes what waits, and takes no more. */
  close(): Promise<void>;
  /** Of this process, since it began. */
  figures(): { waiting: number; written: number; dropped: number };
}

const LONGEST = { organization_id: 36, action: 100, kind: 50, id: 200, request_id: 128 };
const MOST_DETAILS = 1024;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Collects events and writes them in batches. When the store is away they wait, up to the capacity; from then on the newest
 * are dropped, counted and told in the log: requests go on, and memory does not grow.
 */
export function createActivityWriter(options: ActivityWriterOptions): ActivityWriter {
  const { write, newId, log = logToConsole, clock = Date.now } = options;
  const { capacity = 10_000, batch = 1_000, intervalMs = 1_000 } = options;
  let waiting: [organizationId: string, record: ActivityRecord][] = [];
  let writing = 0;
  let written = 0;
  let dropped = 0;
  let told = 0;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wake: (() => void) | undefined;
  let draining: Promise<void> | undefined;
  let closed = false;

  const record: RecordActivity = (event) => {
    const kept = toRecord(event, () => newId(clock()));
    if (!kept || closed || waiting.length + writing >= capacity) return void dropped++;
    waiting.push(kept);
    // After a failure only the timer tries again.
    if (waiting.length >= batch && failures === 0) inBackground(flush());
    else schedule();
  };

  function schedule() {
    if (timer !== undefined || draining || closed) return;
    const pause = Math.min(intervalMs * 2 ** failures, LONGEST_PAUSE_MS);
    inBackground(
      new Promise<void>((resolve) => {
        wake = resolve;
        timer = setTimeout(() => void flush().then(resolve), pause);
      }),
    );
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    wake?.();
    draining ??= drain().finally(() => {
      draining = undefined;
      if (waiting.length > 0) schedule();
    });
    return draining;
  }

  async function drain() {
    while (waiting.length > 0) {
      const taken = waiting.splice(0, batch);
      writing = taken.length;
      const groups = Map.groupBy(taken, ([organizationId]) => organizationId);
      const results = await Promise.allSettled(
        Array.from(groups, ([organizationId, group]) => write(organizationId, group.map(([, each]) => each))),
      );
      const failed = [...groups.values()].filter((_, at) => results[at]?.status === "rejected").flat();
      written += taken.length - failed.length;
      waiting = [...failed, ...waiting];
      writing = 0;
      failures = failed.length > 0 ? failures + 1 : 0;
      tell(results.find((result) => result.status === "rejected")?.reason);
      if (failed.length > 0) return;
    }
  }

  function tell(error: unknown) {
    if (error !== undefined && failures === 1) {
      log({ level: "warn", event: "activity_waits", waiting: waiting.length, error: describeError(error) });
    }
    if (dropped === told) return;
    log({ level: "error", event: "activity_dropped", count: dropped - told });
    told = dropped;
  }

  return {
    record,
    flush,
    async close() {
      closed = true;
      await flush();
      // What the store did not take is lost with the process.
      dropped += waiting.length;
      waiting = [];
      tell(undefined);
    },
    figures: () => ({ waiting: waiting.length + writing, written, dropped }),
  };
}

/** Notes nothing: where there is no document store. */
export const recordNothing: RecordActivity = () => {};

function toRecord(
  { organization_id, actor, action, object, request_id, details }: ActivityEvent,
  id: () => string,
): [string, ActivityRecord] | undefined {
  const text = details && JSON.stringify(details);
  const fits = organization_id.length === LONGEST.organization_id && action.length <= LONGEST.action &&
    (actor.id?.length ?? 0) <= LONGEST.id && (request_id?.length ?? 0) <= LONGEST.request_id &&
    (!object || object.kind.length <= LONGEST.kind && object.id.length <= LONGEST.id) &&
    (text?.length ?? 0) <= MOST_DETAILS;
  if (!fits) return undefined;
  return [organization_id.toLowerCase(), {
    id: id(),
    actor,
    action,
    ...(object && { object }),
    ...(request_id && { request_id }),
    ...(text && { details: text }),
  }];
}
