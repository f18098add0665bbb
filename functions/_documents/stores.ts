import { createActivityStore } from "./activity-store.ts";
import { createArtifactStore } from "./artifact-store.ts";
import { createCacheStore } from "./cache-store.ts";
import type { Documents } from "./documents.ts";
import { createSchemaStore } from "./schema-store.ts";
import { createWorkflowStore } from "./workflow-store.ts";

/** Every store of this backend. The first argument of each of their functions is the organization. */
export function createStores(documents: Documents, options: { clock?: () => number } = {}) {
  return {
    activity: createActivityStore(documents, options),
    artifacts: createArtifactStore(documents, options),
    cache: createCacheStore(documents, options),
    schema: createSchemaStore(documents, options),
    workflows: createWorkflowStore(documents, options),
  };
}
