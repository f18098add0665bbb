import { createDocuments } from "../_documents/documents.ts";
import { createStores } from "../_documents/stores.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { createApp } from "./app.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });

const { workflows, cache } = createStores(createDocuments({ mongo }));

const app = createApp({ workflows, cache });

// The platform says when it takes an isolate away.
addEventListener("beforeunload", () => void mongo.close());

export default { fetch: app.fetch };
