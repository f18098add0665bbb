import type { Mongo } from "../_shared/mongo.ts";
import type { OutboxEntry } from "./backend.ts";
import { deleteDocuments } from "./delete-documents.ts";

/**
 * What is done about one kind of outbox entry. Entries come at least once: a consumer does nothing the second time, and
 * takes up what it left unfinished.
 */
export interface Consumer {
  kind: string;
  /** False where this backend is set up without the store: entries then wait. */
  ready(): boolean;
  /** Resolves to whether all is done; false when the time was up first. */
  consume(entry: OutboxEntry, timeIsUp: () => boolean): Promise<boolean>;
}

/** All consumers, each of its own kind. */
export function outboxConsumers(
  mongo: Mongo,
  environment: Record<string, string | undefined>,
): Consumer[] {
  return [
    {
      kind: "organization.purged",
      ready: () => Boolean(environment["MONGODB_URI"]),
      consume: (entry, timeIsUp) =>
        mongo.run((database) => deleteDocuments(database, entry.organization_id, timeIsUp)),
    },
  ];
}
