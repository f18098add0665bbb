import process from "node:process";
import type { RecordActivity } from "../_shared/activity.ts";
import type { Mongo } from "../_shared/mongo.ts";
import { createRecorder, type RecorderOptions } from "./activity-recorder.ts";
import { createActivityStore } from "./activity-store.ts";
import { createDocuments } from "./documents.ts";

/**
 * What a function records activity with, if the project has a MongoDB. When the platform takes the isolate away, what
 * was recorded is written, and the connection closed.
 */
export function recorderOfProcess(
  mongo: Mongo,
  daysOf: RecorderOptions["daysOf"],
): { recordActivity?: RecordActivity } {
  const recorder = process.env["MONGODB_URI"]
    ? createRecorder({ activity: createActivityStore(createDocuments({ mongo })), daysOf })
    : undefined;
  addEventListener("beforeunload", () => void Promise.resolve(recorder?.close()).then(() => mongo.close()));
  return recorder ? { recordActivity: recorder.record } : {};
}
