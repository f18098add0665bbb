import { type Cursors, createCursors } from "./cursors.ts";
import { failure } from "./errors.ts";
import { createSessions, type Sessions } from "./sessions.ts";
import { type Catalog, type Collection, openCatalog } from "./storage/catalog.ts";
import { type Database, type DatabaseOptions, openDatabase } from "./storage/database.ts";
import { createRecords, type Records } from "./storage/records.ts";
import {
  createTransactions,
  MissingCollection,
  type Transaction,
  type Transactions,
} from "./storage/transactions.ts";

/** Everything that commands work on. */
export interface Engine {
  database: Database;
  catalog: Catalog;
  records: Records;
  transactions: Transactions;
  sessions: Sessions;
  cursors: Cursors;
  /** `host:port`, as clients reach it. */
  address: string;
  started: number;
  close(): void;
}

export function openEngine(options: DatabaseOptions): Engine {
  const database = openDatabase(options);
  const catalog = openCatalog(database);
  const records = createRecords(database, catalog);
  const transactions = createTransactions(database, catalog, records);
  const sessions = createSessions(database, transactions);
  return {
    database,
    catalog,
    records,
    transactions,
    sessions,
    cursors: createCursors(),
    address: "",
    started: Date.now(),
    close: () => database.close(),
  };
}

/** A command's surroundings. */
export interface Context {
  engine: Engine;
  /** The database it is for. */
  database: string;
  transaction: Transaction | undefined;
  session: string | undefined;
  /** Throws when `maxTimeMS` is over. */
  checkTime: () => void;
}

/** The collection as the command's transaction began with it; undefined when there is none. */
export function findCollection(
  { engine, database, transaction }: Context,
  name: string,
): Collection | undefined {
  const collection = engine.catalog.find(`${database}.${name}`);
  if (collection) engine.transactions.requireUnchanged(transaction, collection);
  return collection;
}

/** As a write finds it: made when there is none. */
export function ensureCollection(context: Context, name: string): Collection {
  const found = findCollection(context, name);
  if (found) return found;
  const { engine, database, transaction } = context;
  if (transaction) throw new MissingCollection(`${database}.${name}`);
  return engine.catalog.create(`${database}.${name}`);
}

export function requireCollection(context: Context, name: string): Collection {
  const collection = findCollection(context, name);
  if (!collection) throw failure(26, `ns does not exist: ${context.database}.${name}`);
  return collection;
}
