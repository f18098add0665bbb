import type { Documents } from "./documents.ts";
import { createWorkflowStore } from "./workflow-store.ts";

/** Every store of this backend. The first argument of each of their functions is the organization. */
export function createStores(documents: Documents, options: { clock?: () => number } = {}) {
  return {
    workflows: createWorkflowStore(documents, options),
  };
}
