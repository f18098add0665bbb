import process from "node:process";
import { createDocuments } from "../_documents/documents.ts";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { createApp } from "./app.ts";
import { outboxConsumers } from "./consumers.ts";

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });

const documents = createDocuments({ mongo });

const app = createApp({
  consumers: outboxConsumers(mongo, process.env),
  ensureDocuments: process.env["MONGODB_URI"] ? documents.ensure : undefined,
});

export default { fetch: app.fetch };
