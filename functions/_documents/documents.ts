import type { ClientSession, Db } from "mongodb";
import { z } from "zod";
import { type Log, logToConsole } from "../_shared/log.ts";
import type { Mongo } from "../_shared/mongo.ts";
import { collections } from "./collections.ts";
import type { CollectionDefinition, Stored } from "./definition.ts";
import { ensureCollections } from "./ensure-collections.ts";
import { refused } from "./refused.ts";
import { type TenantFiles, tenantFiles } from "./tenant-files.ts";
import { type TenantCollection, tenantCollection, type TenantScope } from "./tenant-collection.ts";

/** The documents of one organization. */
export interface Tenant {
  readonly organizationId: string;
  collection<T extends Stored>(definition: CollectionDefinition<T>): TenantCollection<T>;
  /** Files too large for documents, in a GridFS bucket. */
  files(bucket: string): TenantFiles;
}

/** The document store: whatever is asked of it is asked for one organization. */
export interface Documents {
  /**
   * Runs `work` on an organization's documents.
   *
   * @throws {AppError} `mongodb_unavailable`; `validation_failed` when the organization's id is none.
   */
  run<T>(organizationId: string, work: (tenant: Tenant) => Promise<T>): Promise<T>;
  /** The same, all or nothing. `work` runs again when another transaction was in its way. */
  transaction<T>(organizationId: string, work: (tenant: Tenant) => Promise<T>): Promise<T>;
  /** Applies validators and indexes, and says of how many collections. At first use it happens by itself. */
  ensure(): Promise<number>;
  close(): Promise<void>;
}

export interface DocumentsOptions {
  mongo: Mongo;
  log?: Log;
  /** Instead of all of this backend's: for tests. */
  definitions?: readonly CollectionDefinition[];
}

/** Until a transaction is given up, retries included. */
const TRANSACTION_MS = 20_000;

const isId = (value: unknown) => z.guid().safeParse(value).success;

export function createDocuments(
  { mongo, log = logToConsole, definitions = collections }: DocumentsOptions,
): Documents {
  let ensuring: Promise<number> | undefined;

  function ensureOnce(database: Db): Promise<number> {
    ensuring ??= ensureCollections(database, { definitions });
    ensuring.catch(() => ensuring = undefined);
    return ensuring;
  }

  function tenant(database: Db, organizationId: string, session?: ClientSession): Tenant {
    const scope: TenantScope = { database, organizationId, log, session };
    return {
      organizationId,
      collection: (definition) => tenantCollection(scope, definition),
      files: (bucket) => tenantFiles(scope, bucket),
    };
  }

  // PostgreSQL writes ids in lower case: one organization has one spelling.
  function requireId(organizationId: string): string {
    if (!isId(organizationId)) throw refused("organization_id", "expected a UUID");
    return organizationId.toLowerCase();
  }

  return {
    async run(organizationId, work) {
      const id = requireId(organizationId);
      return await mongo.run(async (database) => {
        await ensureOnce(database);
        return await work(tenant(database, id));
      });
    },
    async transaction(organizationId, work) {
      const id = requireId(organizationId);
      return await mongo.run(async (database) => {
        // Collections and indexes are not made inside of transactions.
        await ensureOnce(database);
        return await database.client.withSession((session) =>
          session.withTransaction(() => work(tenant(database, id, session)), {
            readConcern: { level: "snapshot" },
            writeConcern: { w: "majority" },
            timeoutMS: TRANSACTION_MS,
          })
        );
      });
    },
    ensure: () => mongo.run((database) => ensureCollections(database, { definitions })),
    close: () => mongo.close(),
  };
}
