import { createSchemaStore } from "../_documents/schema-store.ts";
import { createDocuments } from "../_documents/documents.ts";
import { recorderOfProcess } from "../_documents/recorder-of-process.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { activityDays } from "../_shared/permissions.ts";
import { createApp } from "./app.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });
const documents = createDocuments({ mongo });

const app = createApp({
  schema: createSchemaStore(documents),
  ...recorderOfProcess(mongo, activityDays),
});

export default { fetch: app.fetch };
