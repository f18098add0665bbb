import { EJSON } from "bson";
import { failure } from "../errors.ts";
import { keyValues } from "../paths.ts";
import { type Document, decode } from "../values.ts";
import { type Catalog, type Collection, documentsTable, type Index, indexTable } from "./catalog.ts";
import type { Database } from "./database.ts";
import { indexKeys } from "./index-keys.ts";

/** A document where it is kept. */
export interface StoredDocument {
  record: number;
  bytes: Uint8Array;
}

/** Reads and writes documents together with their index entries. It knows neither sessions nor transactions. */
export interface Records {
  get(collection: Collection, record: number): Uint8Array | undefined;
  /** Documents in the order in which they came. */
  all(collection: Collection, backwards?: boolean): Generator<StoredDocument>;
  /** Documents in the order of the index, between two keys: the first included, the second not. */
  between(
    collection: Collection,
    index: Index,
    from: Uint8Array,
    to: Uint8Array | undefined,
    backwards?: boolean,
  ): Generator<StoredDocument>;
  countAll(collection: Collection): number;
  countBetween(index: Index, from: Uint8Array, to: Uint8Array | undefined): number;
  /** @throws {MongoError} 11000 when a unique index holds another document with the same key. */
  requireUnique(collection: Collection, document: Document, record: number): void;
  /** Writes, replaces or, with undefined, removes a document, and its index entries. */
  put(collection: Collection, record: number, bytes: Uint8Array | undefined, document?: Document): void;
  /** @throws {MongoError} 11000 when the documents there are do not allow it. */
  buildIndex(collection: Collection, index: Index): void;
}

export function createRecords(database: Database, catalog: Catalog): Records {
  const range = (to: Uint8Array | undefined) => (to === undefined ? "" : "and x.k < ?");
  const bounds = (from: Uint8Array, to: Uint8Array | undefined) => (to === undefined ? [from] : [from, to]);

  function enter(collection: Collection, index: Index, record: number, document: Document): void {
    const { keys, multikey } = indexKeys(index, document);
    if (multikey) catalog.markMultikey(collection, index);
    for (const key of keys) database.run(`insert into ${indexTable(index)} values (?, ?)`, key, record);
  }

  /** Another document that has one of these keys. */
  const taken = (index: Index, keys: Buffer[], record: number) =>
    keys.some((key) =>
      database.first(`select r from ${indexTable(index)} where k = ? and r <> ? limit 1`, key, record),
    );

  const records: Records = {
    get: (collection, record) =>
      database.first(`select d from ${documentsTable(collection)} where r = ?`, record)?.[0] as
        | Uint8Array
        | undefined,
    *all(collection, backwards) {
      const order = backwards ? "desc" : "asc";
      const rows = database.each(`select r, d from ${documentsTable(collection)} order by r ${order}`);
      for (const [record, bytes] of rows) yield { record: record as number, bytes: bytes as Uint8Array };
    },
    *between(collection, index, from, to, backwards) {
      const order = backwards ? "desc" : "asc";
      const rows = database.each(
        `select c.r, c.d from ${indexTable(index)} x cross join ${documentsTable(collection)} c on c.r = x.r
         where x.k >= ? ${range(to)} order by x.k ${order}, x.r ${order}`,
        ...bounds(from, to),
      );
      for (const [record, bytes] of rows) yield { record: record as number, bytes: bytes as Uint8Array };
    },
    countAll: (collection) =>
      database.first(`select count(*) from ${documentsTable(collection)}`)?.[0] as number,
    countBetween: (index, from, to) =>
      database.first(
        `select count(*) from ${indexTable(index)} x where x.k >= ? ${range(to)}`,
        ...bounds(from, to),
      )?.[0] as number,
    requireUnique(collection, document, record) {
      for (const index of collection.indexes) {
        if (!index.spec.unique) continue;
        if (taken(index, indexKeys(index, document).keys, record))
          throw duplicate(collection, index, document);
      }
    },
    put(collection, record, bytes, document) {
      database.begin();
      const before = records.get(collection, record);
      const old = before && decode(before);
      const now = bytes && (document ?? decode(bytes));
      for (const index of collection.indexes) {
        const left = new Map<string, Buffer>();
        if (old) for (const key of indexKeys(index, old).keys) left.set(key.toString("latin1"), key);
        if (now) {
          const { keys, multikey } = indexKeys(index, now);
          if (multikey) catalog.markMultikey(collection, index);
          for (const key of keys) {
            if (left.delete(key.toString("latin1"))) continue;
            database.run(`insert into ${indexTable(index)} values (?, ?)`, key, record);
          }
        }
        for (const key of left.values()) {
          database.run(`delete from ${indexTable(index)} where k = ? and r = ?`, key, record);
        }
      }
      const table = documentsTable(collection);
      if (bytes && before) database.run(`update ${table} set d = ? where r = ?`, bytes, record);
      else if (bytes) database.run(`insert into ${table} values (?, ?)`, record, bytes);
      else if (before) database.run(`delete from ${table} where r = ?`, record);
    },
    buildIndex(collection, index) {
      for (const { record, bytes } of records.all(collection)) {
        const document = decode(bytes);
        if (index.spec.unique && taken(index, indexKeys(index, document).keys, record)) {
          throw duplicate(collection, index, document);
        }
        enter(collection, index, record, document);
      }
    },
  };
  return records;
}

function duplicate({ namespace }: Collection, { spec, fields }: Index, document: Document) {
  const keyValue = Object.fromEntries(
    fields.map(({ path }) => [path, keyValues(document, path).values[0] ?? null]),
  );
  const shown = Object.entries(keyValue).map(
    ([path, value]) => `${path}: ${EJSON.stringify(value as object)}`,
  );
  return failure(
    11000,
    `E11000 duplicate key error collection: ${namespace} index: ${spec.name} dup key: { ${shown.join(", ")} }`,
    { keyPattern: spec.key, keyValue },
  );
}
