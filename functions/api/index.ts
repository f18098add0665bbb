import { createDecisions } from "../_shared/decisions.ts";
import { readVariable } from "../_shared/env.ts";
import { createPostgres } from "../_shared/postgres.ts";
import { createApp } from "./app.ts";
import { createIngest } from "./usage.ts";

const postgres = createPostgres({ url: () => readVariable("SUPABASE_DB_URL") });

const app = createApp({ decisions: createDecisions(postgres), ingest: createIngest(postgres) });

export default { fetch: app.fetch };
