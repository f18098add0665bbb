import type { SupabaseEnv } from "@supabase/server";
import type { CacheStore } from "../_documents/cache-store.ts";
import type { WorkflowStore } from "../_documents/workflow-store.ts";
import { type RecordActivity, recordNothing } from "../_shared/activity.ts";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import type { Log } from "../_shared/log.ts";
import { recordChanges } from "../_shared/record-changes.ts";
import { MAX_BYTES } from "../_workflows/workflow.ts";
import { createBackend, type organizationBySlug } from "./backend.ts";
import { registerCache } from "./cache.ts";
import { registerDrafts } from "./drafts.ts";
import { registerFiles } from "./files.ts";
import { registerLifecycle } from "./lifecycle.ts";
import { registerLive } from "./live.ts";
import { registerPublishing } from "./publishing.ts";

export interface WorkflowsOptions {
  workflows: WorkflowStore;
  cache: CacheStore;
  recordActivity?: RecordActivity;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createBackend;
  findOrganization?: typeof organizationBySlug;
}

/** Room for what stands around a definition of the largest size. */
const AROUND = 64 * 1024;

export function createApp(
  { workflows, cache, recordActivity = recordNothing, log, keys, connect = createBackend, findOrganization }:
    WorkflowsOptions,
): FunctionApp {
  const app = createFunction({ name: "workflows", maxBodyBytes: MAX_BYTES + AROUND, ...(log && { log }) });
  app.use(recordChanges("workflows", recordActivity));
  const setting = { app, workflows, connect, keys };
  // Before the routes that take an organization where these say `published`, `cache` and `import`.
  registerLive({ ...setting, ...(findOrganization && { findOrganization }) });
  registerCache({ ...setting, cache });
  registerFiles(setting);
  registerDrafts(setting);
  registerLifecycle(setting);
  registerPublishing(setting);
  return app;
}
