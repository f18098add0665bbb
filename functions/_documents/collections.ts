import { activityEntries } from "./activity-entries.ts";
import { artifacts, artifactUsage } from "./artifacts.ts";
import { cacheEntries, cacheUsage } from "./cache-entries.ts";
import type { CollectionDefinition } from "./definition.ts";
import { guards } from "./guards.ts";
import { schemaAnnotations, schemaSnapshots, schemaTables } from "./schemas.ts";
import { workflows, workflowVersions } from "./workflows.ts";

/** Every collection of this backend. */
export const collections: readonly CollectionDefinition[] = [
  activityEntries,
  artifacts,
  artifactUsage,
  cacheEntries,
  cacheUsage,
  guards,
  schemaAnnotations,
  schemaSnapshots,
  schemaTables,
  workflows,
  workflowVersions,
];
