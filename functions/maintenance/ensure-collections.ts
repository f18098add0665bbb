import type { Documents } from "../_documents/documents.ts";
import type { Job } from "./jobs.ts";

/** Brings the document store's validators and indexes up to date, before a request has to. */
export const ensureCollections = (
  documents: Pick<Documents, "ensure">,
  environment: Record<string, string | undefined>,
): Job => ({
  name: "ensure_collections",
  ready: () => Boolean(environment["MONGODB_URI"]),
  run: async () => ({ status: "done", count: await documents.ensure() }),
});
