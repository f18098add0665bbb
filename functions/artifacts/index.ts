import { createArtifactStore } from "../_documents/artifact-store.ts";
import { createDocuments } from "../_documents/documents.ts";
import { recorderOfProcess } from "../_documents/recorder-of-process.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { activityDays } from "../_shared/permissions.ts";
import { createApp } from "./app.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });
const documents = createDocuments({ mongo });

const app = createApp({
  artifacts: createArtifactStore(documents),
  linkKeys: () => readVariable("ARTIFACT_LINK_KEYS"),
  url: () => readVariable("SUPABASE_URL"),
  ...recorderOfProcess(mongo, activityDays),
});

export default { fetch: app.fetch };
