import { recorderOfProcess } from "../_documents/recorder-of-process.ts";
import { createDecisions } from "../_shared/decisions.ts";
import { readVariable } from "../_shared/env.ts";
import { createLeases } from "../_shared/lease.ts";
import { describeError, logToConsole } from "../_shared/log.ts";
import { createMongo } from "../_shared/mongo.ts";
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

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });
const activity = recorderOfProcess(mongo, async (organizationId) => {
  const [limit] = await postgres.run((sql) =>
    sql<
      [{ days: number | null }]
    >`select private.entitlement(${organizationId}, 'activity_days')::int as days`
  );
  return limit.days;
});

const app = createApp({
  decisions,
  ingest: createIngest(postgres),
  ...(leases && { leases }),
  ...activity,
});

// The platform says when it takes an isolate away: what is left of a lease is returned.
addEventListener("beforeunload", () => void leases?.close());

export default { fetch: app.fetch };
