import { z } from "zod";
import type { Documents } from "../_documents/documents.ts";
import { createSchemaStore } from "../_documents/schema-store.ts";
import type { Consumer } from "./consumer.ts";

const payload = z.object({ connection_id: z.guid() });

/** Deletes snapshots, annotations and the search index of a connection that was deleted. */
export const forgetConnection = (
  documents: Documents,
  environment: Record<string, string | undefined>,
): Consumer => ({
  kind: "connection.deleted",
  ready: () => Boolean(environment["MONGODB_URI"]),
  async consume(entry) {
    const { connection_id } = payload.parse(entry.payload);
    await createSchemaStore(documents).forget(entry.organization_id, connection_id);
    return true;
  },
});
