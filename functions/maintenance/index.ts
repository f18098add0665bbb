import process from "node:process";
import { createDocuments } from "../_documents/documents.ts";
import { readVariable } from "../_shared/env.ts";
import { logToConsole } from "../_shared/log.ts";
import { createMongo } from "../_shared/mongo.ts";
import { createStripe } from "../_shared/stripe.ts";
import { createApp } from "./app.ts";
import { outboxConsumers } from "./consumers.ts";
import { ensureCollections } from "./ensure-collections.ts";
import { reconcileDocuments } from "./reconcile-documents.ts";
import { reconcileStripe } from "./reconcile-stripe.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });
const stripe = createStripe();
const documents = createDocuments({ mongo });

const app = createApp({
  consumers: outboxConsumers(mongo, stripe, process.env),
  jobs: [
    reconcileStripe(stripe, logToConsole),
    ensureCollections(documents, process.env),
    reconcileDocuments({ mongo, configured: Boolean(process.env["MONGODB_URI"]), log: logToConsole }),
  ],
});

// The platform says when it takes an isolate away.
addEventListener("beforeunload", () => void mongo.close());

export default { fetch: app.fetch };
