import { createDocuments } from "../_documents/documents.ts";
import { createActivityStore } from "../_documents/activity-store.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { createApp } from "./app.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });

const app = createApp({ activity: createActivityStore(createDocuments({ mongo })) });

// The platform says when it takes an isolate away.
addEventListener("beforeunload", () => void mongo.close());

export default { fetch: app.fetch };
