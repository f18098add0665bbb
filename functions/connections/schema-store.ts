import type { SchemaSnapshot } from "./engine.ts";
import type { SchemaChange } from "../_shared/schema-diff.ts";

/** Where snapshots of customers' schemas are kept, each beside what has changed since the one before. */
export interface SchemaStore {
  save(
    organizationId: string,
    connectionId: string,
    snapshot: SchemaSnapshot,
  ): Promise<{ snapshot_id: string; changes: SchemaChange[] }>;
}
