import {
  type ActivityWriter,
  type ActivityWriterOptions,
  createActivityWriter,
} from "../_shared/activity.ts";
import { AppError } from "../_shared/errors.ts";
import { type Log, logToConsole } from "../_shared/log.ts";
import type { ActivityStore } from "./activity-store.ts";
import { newId } from "./id.ts";

export interface RecorderOptions extends Pick<ActivityWriterOptions, "capacity" | "batch" | "intervalMs"> {
  activity: Pick<ActivityStore, "write">;
  /** For how many days the organization's plan keeps activity; null is for good. */
  daysOf: (organizationId: string) => Promise<number | null>;
  clock?: () => number;
  log?: Log;
}

/** How long an answer about a plan is believed, and for how many organizations. */
const BELIEVED_MS = 300_000;
const MOST_KNOWN = 1000;
/** While the plan cannot be asked: what the free one keeps. */
const DAYS = 7;

/** The activity log of a process: what is recorded is written in batches, for as long as the plan says. */
export function createRecorder(options: RecorderOptions): ActivityWriter {
  const { activity, daysOf, clock = Date.now, log = logToConsole, ...limits } = options;
  const known = new Map<string, { days: Promise<number | null>; until: number }>();

  function days(organizationId: string): Promise<number | null> {
    const found = known.get(organizationId);
    if (found && found.until > clock()) return found.days;
    const asked = daysOf(organizationId).catch(() => {
      known.delete(organizationId);
      return DAYS;
    });
    known.delete(organizationId);
    known.set(organizationId, { days: asked, until: clock() + BELIEVED_MS });
    const [oldest] = known.keys();
    if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
    return asked;
  }

  return createActivityWriter({
    async write(organizationId, records) {
      try {
        await activity.write(organizationId, records, await days(organizationId));
      } catch (error) {
        // It would be refused the next time too.
        if (!(error instanceof AppError) || error.code !== "validation_failed") throw error;
        log({
          level: "error",
          event: "activity_refused",
          organization: organizationId,
          count: records.length,
        });
      }
    },
    newId,
    clock,
    log,
    ...limits,
  });
}
