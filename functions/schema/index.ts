import process from "node:process";
import { createAdminClient } from "@supabase/server/core";
import type { Database } from "../../types/database.ts";
import { createRecorder } from "../_documents/activity-recorder.ts";
import { createActivityStore } from "../_documents/activity-store.ts";
import { createSchemaStore } from "../_documents/schema-store.ts";
import { createDocuments } from "../_documents/documents.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { limitsForServer } from "../_shared/permissions.ts";
import { createApp } from "./app.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });
const documents = createDocuments({ mongo });

const recorder = process.env["MONGODB_URI"]
  ? createRecorder({
    activity: createActivityStore(documents),
    daysOf: async (organizationId) =>
      (await limitsForServer(createAdminClient<Database>(), organizationId)).activity_days,
  })
  : undefined;

const app = createApp({
  schema: createSchemaStore(documents),
  ...(recorder && { recordActivity: recorder.record }),
});

// The platform says when it takes an isolate away: what was recorded is written first.
addEventListener("beforeunload", () => void Promise.resolve(recorder?.close()).then(() => mongo.close()));

export default { fetch: app.fetch };
