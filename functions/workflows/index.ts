import { createDocuments } from "../_documents/documents.ts";
import { recorderOfProcess } from "../_documents/recorder-of-process.ts";
import { createStores } from "../_documents/stores.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { activityDays } from "../_shared/permissions.ts";
import { createApp } from "./app.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });

const { cache, workflows } = createStores(createDocuments({ mongo }));

const app = createApp({ workflows, cache, ...recorderOfProcess(mongo, activityDays) });

export default { fetch: app.fetch };
