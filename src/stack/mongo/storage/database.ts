import { mkdirSync } from "node:fs";
import path from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";

export interface DatabaseOptions {
  /** Where the file goes; undefined: in memory. */
  directory: string | undefined;
  /** `false`: safe when the process is killed, not when the machine is. */
  durable: boolean;
}

export type Row = (Uint8Array | number | string | null)[];

/**
 * SQLite, with what MongoDB's writes need of it: commands that arrive together are committed together, and nobody is
 * answered before that.
 */
export interface Database {
  run(sql: string, ...values: Row): void;
  all(sql: string, ...values: Row): Row[];
  first(sql: string, ...values: Row): Row | undefined;
  /** Rows one by one. Other statements may run in between, writes to the same tables may not. */
  each(sql: string, ...values: Row): Generator<Row>;
  /** Opens the common transaction, if it is not open yet: what is written will be committed soon. */
  begin(): void;
  /** From now on, what is written is a view that `leaveView` takes back. */
  enterView(): void;
  leaveView(): void;
  /** Runs `work` so that it happens as a whole or not at all. */
  atomically<T>(work: () => T): T;
  /** Calls back when everything written so far is safe; at once when it is. */
  whenSafe(callback: () => void): void;
  /** Is called before the common transaction is committed. */
  beforeCommit(callback: () => void): void;
  /** Commits now. */
  flush(): void;
  close(): void;
}

export function openDatabase({ directory, durable }: DatabaseOptions): Database {
  if (directory) mkdirSync(directory, { recursive: true });
  const sqlite = new DatabaseSync(directory ? path.join(directory, "nectar-mongo.sqlite") : ":memory:");
  sqlite.exec(`
    pragma journal_mode = wal;
    pragma synchronous = ${durable ? "full" : "off"};
    pragma locking_mode = exclusive;
    pragma cache_size = -65536;
    pragma wal_autocheckpoint = 4000;
    create table if not exists collections (id integer primary key, namespace text unique not null, meta blob not null);
    create table if not exists sessions (id blob primary key, number integer not null, reply blob, at integer not null) without rowid;
  `);
  const statements = new Map<string, StatementSync>();
  const busy = new Set<StatementSync>();
  const waiting: (() => void)[] = [];
  const preparations: (() => void)[] = [];
  let open = false;
  let scheduled = false;
  let viewing = false;
  let depth = 0;

  function openTransaction(): void {
    if (!open) sqlite.exec("begin immediate");
    open = true;
  }

  function prepare(sql: string): StatementSync {
    let statement = statements.get(sql);
    if (statement && !busy.has(statement)) return statement;
    statement = sqlite.prepare(sql);
    statement.setReturnArrays(true);
    if (statements.size > 500) statements.clear();
    statements.set(sql, statement);
    return statement;
  }

  const database: Database = {
    run: (sql, ...values) => void prepare(sql).run(...values),
    all: (sql, ...values) => prepare(sql).all(...values) as unknown as Row[],
    first: (sql, ...values) => prepare(sql).get(...values) as unknown as Row | undefined,
    *each(sql, ...values) {
      const statement = prepare(sql);
      busy.add(statement);
      try {
        yield* statement.iterate(...values) as unknown as Iterable<Row>;
      } finally {
        busy.delete(statement);
      }
    },
    begin() {
      openTransaction();
      if (viewing || scheduled) return;
      scheduled = true;
      setImmediate(database.flush);
    },
    enterView() {
      openTransaction();
      sqlite.exec("savepoint view");
      viewing = true;
    },
    leaveView() {
      sqlite.exec("rollback to view; release view");
      viewing = false;
      if (scheduled) return;
      sqlite.exec("rollback");
      open = false;
    },
    atomically(work) {
      database.begin();
      const name = `s${depth++}`;
      database.run(`savepoint ${name}`);
      try {
        const result = work();
        database.run(`release ${name}`);
        return result;
      } catch (error) {
        sqlite.exec(`rollback to ${name}; release ${name}`);
        throw error;
      } finally {
        depth--;
      }
    },
    whenSafe(callback) {
      if (scheduled) waiting.push(callback);
      else callback();
    },
    beforeCommit: (callback) => void preparations.push(callback),
    flush() {
      if (!scheduled) return;
      for (const prepare of preparations) prepare();
      // Should this fail, nobody has been told otherwise: the process ends, and the file holds what was promised.
      sqlite.exec("commit");
      open = false;
      scheduled = false;
      for (const callback of waiting.splice(0)) callback();
    },
    close() {
      database.flush();
      if (viewing) database.leaveView();
      sqlite.close();
    },
  };
  return database;
}
