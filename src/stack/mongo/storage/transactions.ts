// Transactions as a snapshot and a list of writes. A command of a transaction sees the tables as they were when it
// began, with its own writes on top: what others have committed since is put back for as long as the command runs.
import { failure, transient } from "../errors.ts";
import { type Document, decode } from "../values.ts";
import type { Catalog, Collection } from "./catalog.ts";
import type { Database } from "./database.ts";
import { indexKeys } from "./index-keys.ts";
import type { Records } from "./records.ts";

type Images = Map<number, Map<number, Uint8Array | undefined>>;

export interface Transaction {
  /** What others have replaced since it began. */
  before: Images;
  /** What it has written itself. */
  writes: Images;
  /** The catalogue's version when it began. */
  version: number;
  /** Collections that were made for it. */
  created: Set<number>;
  locks: Set<string>;
  /** Resolves when it has been committed or aborted. */
  ended: Promise<void>;
  end(): void;
}

/** A write that has to wait for another's transaction. */
export class Blocked extends Error {
  readonly until: Promise<void>;
  constructor(until: Promise<void>) {
    super("waits for a transaction");
    this.until = until;
  }
}

/** A collection that a transaction is the first to write into. */
export class MissingCollection extends Error {
  readonly namespace: string;
  constructor(namespace: string) {
    super(`${namespace} is not there yet`);
    this.namespace = namespace;
  }
}

export interface Transactions {
  start(): Transaction;
  /** Shows the tables as the transaction sees them; undefined: as they are. */
  look(transaction: Transaction | undefined): void;
  /**
   * Writes, replaces or removes a document.
   *
   * @throws {MongoError} 112 when two transactions want the same document, or the document has changed since.
   * @throws {Blocked} when another's transaction has it, and this is none.
   */
  write(
    transaction: Transaction | undefined,
    collection: Collection,
    record: number,
    bytes: Uint8Array | undefined,
    document?: Document,
  ): void;
  /** Runs `work` as a whole or not at all. */
  run<T>(transaction: Transaction | undefined, work: () => T): T;
  /** @throws {MongoError} with the label TransientTransactionError when it cannot be committed. */
  commit(transaction: Transaction): void;
  abort(transaction: Transaction): void;
  /** @throws {MongoError} 246 when the collection is not the one that the transaction began with. */
  requireUnchanged(transaction: Transaction | undefined, collection: Collection): void;
}

export function createTransactions(database: Database, catalog: Catalog, records: Records): Transactions {
  const open = new Set<Transaction>();
  const locks = new Map<string, Transaction>();
  let shown: Transaction | undefined;
  let noted: (() => void)[] = [];

  const conflict = () =>
    transient(
      112,
      "Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or multi-document transaction.",
    );

  function look(transaction: Transaction | undefined): void {
    if (shown === transaction) return;
    if (shown) {
      database.leaveView();
      catalog.endView();
    }
    shown = transaction;
    if (!transaction) return;
    database.enterView();
    catalog.beginView();
    putAll(transaction.before);
    putAll(transaction.writes);
  }

  function putAll(images: Images): void {
    for (const [id, documents] of images) {
      const collection = catalog.byId(id);
      if (!collection) continue;
      for (const [record, bytes] of documents) records.put(collection, record, bytes);
    }
  }

  /** The document, and the unique keys it had and gets. */
  function lockNames(collection: Collection, record: number, versions: (Document | undefined)[]): string[] {
    const names = [`${collection.id}/${record}`];
    for (const index of collection.indexes) {
      if (!index.spec.unique) continue;
      for (const version of versions) {
        if (!version) continue;
        for (const key of indexKeys(index, version).keys) names.push(`${index.id}:${key.toString("latin1")}`);
      }
    }
    return names;
  }

  /** Keeps, for those who look at an earlier moment, what is replaced now. */
  function keepBefore(collection: Collection, record: number, except?: Transaction): void {
    for (const transaction of open) {
      if (transaction === except) continue;
      const images = imagesOf(transaction.before, collection);
      if (images.has(record)) continue;
      images.set(record, records.get(collection, record));
      noted.push(() => images.delete(record));
    }
  }

  function finish(transaction: Transaction): void {
    if (shown === transaction) look(undefined);
    open.delete(transaction);
    for (const name of transaction.locks) locks.delete(name);
    transaction.end();
  }

  database.beforeCommit(() => look(undefined));

  return {
    start() {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const transaction: Transaction = {
        before: new Map(),
        writes: new Map(),
        version: catalog.version,
        created: new Set(),
        locks: new Set(),
        ended,
        end,
      };
      open.add(transaction);
      return transaction;
    },
    look,
    write(transaction, collection, record, bytes, document) {
      if (open.size > 0) {
        const current = records.get(collection, record);
        const names = lockNames(collection, record, [
          current && decode(current),
          bytes && (document ?? decode(bytes)),
        ]);
        for (const name of names) {
          const holder = locks.get(name);
          if (!holder || holder === transaction) continue;
          throw transaction ? conflict() : new Blocked(holder.ended);
        }
        if (transaction) {
          if (transaction.before.get(collection.id)?.has(record)) throw conflict();
          for (const name of names) {
            locks.set(name, transaction);
            transaction.locks.add(name);
          }
          imagesOf(transaction.writes, collection).set(record, bytes);
        } else keepBefore(collection, record);
      }
      records.put(collection, record, bytes, document);
    },
    run(transaction, work) {
      for (;;) {
        look(transaction);
        noted = [];
        try {
          return catalog.guard(work);
        } catch (error) {
          for (const forget of noted) forget();
          if (!transaction || !(error instanceof MissingCollection)) throw error;
          // Collections are not part of transactions: one that is aborted leaves an empty one behind.
          look(undefined);
          transaction.created.add(catalog.create(error.namespace).id);
        }
      }
    },
    commit(transaction) {
      look(undefined);
      noted = [];
      try {
        catalog.guard(() => {
          for (const [id, documents] of transaction.writes) {
            const collection = catalog.byId(id);
            if (!collection) throw transient(246, "A collection of the transaction was dropped");
            for (const [record, bytes] of documents) {
              keepBefore(collection, record, transaction);
              records.put(collection, record, bytes);
            }
            for (const [record, bytes] of documents) {
              if (!bytes) continue;
              try {
                records.requireUnique(collection, decode(bytes), record);
              } catch {
                throw conflict(); // inserted by somebody else since it began
              }
            }
          }
        });
      } catch (error) {
        for (const forget of noted) forget();
        throw error;
      } finally {
        finish(transaction);
      }
    },
    abort: finish,
    requireUnchanged(transaction, collection) {
      if (!transaction || collection.version <= transaction.version || transaction.created.has(collection.id))
        return;
      throw transient(246, `Collection ${collection.namespace} has changed since the transaction began`);
    },
  };
}

function imagesOf(images: Images, { id }: Collection): Map<number, Uint8Array | undefined> {
  const own = images.get(id) ?? new Map<number, Uint8Array | undefined>();
  images.set(id, own);
  return own;
}

/** What a command of a transaction answers when there is no such transaction. */
export const noTransaction = (number: bigint) =>
  failure(251, `Given transaction number ${number} does not match any in-progress transactions.`, {
    errorLabels: ["TransientTransactionError"],
  });
