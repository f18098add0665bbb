import type { CollectionDefinition } from "./definition.ts";
import { guards } from "./guards.ts";
import { workflows, workflowVersions } from "./workflows.ts";

/** Every collection of this backend. */
export const collections: readonly CollectionDefinition[] = [
  guards,
  workflows,
  workflowVersions,
];
