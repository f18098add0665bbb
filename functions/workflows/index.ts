import process from "node:process";
import { createAdminClient } from "@supabase/server/core";
import type { Database } from "../../types/database.ts";
import { createRecorder } from "../_documents/activity-recorder.ts";
import { createDocuments } from "../_documents/documents.ts";
import { createStores } from "../_documents/stores.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { limitsForServer } from "../_shared/permissions.ts";
import { createApp } from "./app.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });

const { activity, cache, workflows } = createStores(createDocuments({ mongo }));

const recorder = process.env["MONGODB_URI"]
  ? createRecorder({
    activity,
    daysOf: async (organizationId) =>
      (await limitsForServer(createAdminClient<Database>(), organizationId)).activity_days,
  })
  : undefined;

const app = createApp({ workflows, cache, ...(recorder && { recordActivity: recorder.record }) });

// The platform says when it takes an isolate away: what was recorded is written first.
addEventListener("beforeunload", () => void Promise.resolve(recorder?.close()).then(() => mongo.close()));

export default { fetch: app.fetch };
