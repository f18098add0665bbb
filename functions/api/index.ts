import { createDecisions } from "../_shared/decisions.ts";
import { readVariable } from "../_shared/env.ts";
import { createLeases } from "../_shared/lease.ts";
import { describeError, logToConsole } from "../_shared/log.ts";
import { createPostgres } from "../_shared/postgres.ts";
import { createApp } from "./app.ts";
import { createIngest } from "./usage.ts";

const postgres = createPostgres({ url: () => readVariable("SUPABASE_DB_URL") });
const decisions = createDecisions(postgres);
const ttlSeconds = readVariable("API_LEASE_SECONDS");
const leases = ttlSeconds === undefined ? undefined : createLeases({
  decisions,
  ttlSeconds,
  onFailure: (error) => logToConsole({ level: "warn", function: "api", error: describeError(error) }),
});
// Returned before the isolate goes, what is left of a block is there for others at once.
if (leases) addEventListener("beforeunload", () => void leases.close());

const app = createApp({ decisions, ingest: createIngest(postgres), ...(leases && { leases }) });

export default { fetch: app.fetch };
