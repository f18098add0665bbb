import process from "node:process";
import { readVariable } from "../_shared/env.ts";
import { createMongo } from "../_shared/mongo.ts";
import { createPostgres } from "../_shared/postgres.ts";
import { createApp } from "./app.ts";
import { monitoredDependencies } from "./checks.ts";

// Less than a check's three seconds, so that the report can tell what is unreachable from what is slow.
const postgres = createPostgres({ url: () => readVariable("SUPABASE_DB_URL"), connectTimeoutSeconds: 2 });
const mongo = createMongo({ uri: () => readVariable("MONGODB_URI"), selectionTimeoutMs: 2000 });

const app = createApp({ dependencies: monitoredDependencies({ postgres, mongo }, process.env) });

// The platform says when it takes an isolate away.
addEventListener("beforeunload", () => void mongo.close());

export default { fetch: app.fetch };
