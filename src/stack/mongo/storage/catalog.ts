import { BSON, UUID } from "bson";
import { failure } from "../errors.ts";
import { type Matcher, matcherOf } from "../query/match.ts";
import { type Document, decode } from "../values.ts";
import type { Database } from "./database.ts";
import { ID_INDEX, type IndexField, type IndexSpec, indexFields } from "./index-specs.ts";

export interface Index {
  id: number;
  spec: IndexSpec;
  fields: IndexField[];
  /** Says which documents a partial index holds. */
  covers: Matcher | undefined;
  /** Some document has several keys in it: an array. */
  multikey: boolean;
}

export interface Collection {
  id: number;
  /** `database.collection` */
  namespace: string;
  uuid: UUID;
  /** What `listCollections` shows: the validator, capped. */
  options: Document;
  indexes: Index[];
  /** When indexes or options were last changed, on the catalogue's own clock. */
  version: number;
}

/** The collections, and the tables they are in: a table for the documents, one for each index. */
export interface Catalog {
  /** Counts the changes of collections, options and indexes. */
  readonly version: number;
  find(namespace: string): Collection | undefined;
  byId(id: number): Collection | undefined;
  all(): Collection[];
  create(namespace: string, options?: Document): Collection;
  drop(collection: Collection): void;
  rename(collection: Collection, namespace: string): void;
  setOptions(collection: Collection, options: Document): void;
  /** Makes the index, empty. */
  addIndex(collection: Collection, spec: IndexSpec): Index;
  dropIndex(collection: Collection, index: Index): void;
  changeIndex(collection: Collection, index: Index, spec: IndexSpec): void;
  markMultikey(collection: Collection, index: Index): void;
  /** The next record of a collection. */
  nextRecord(collection: Collection): number;
  /** Runs `work`; should it fail, the catalogue is as before. */
  guard<T>(work: () => T): T;
  /** From now on, what is changed is part of a view. */
  beginView(): void;
  /** The view has been taken back, and with it what was changed in it. */
  endView(): void;
}

export const documentsTable = (collection: Collection) => `c${collection.id}`;
export const indexTable = (index: Index) => `i${index.id}`;

interface Meta {
  uuid: UUID;
  options: Document;
  indexes: { id: number; spec: IndexSpec; multikey: boolean }[];
  version: number;
}

export function openCatalog(database: Database): Catalog {
  let collections = new Map<string, Collection>();
  let ids = new Map<number, Collection>();
  const records = new Map<number, number>();
  let nextId = 1;
  let clock = 0;
  let changed = false;

  function load(): void {
    collections = new Map();
    ids = new Map();
    for (const [id, namespace, bytes] of database.all("select id, namespace, meta from collections")) {
      const meta = BSON.deserialize(bytes as Uint8Array) as Meta;
      // Filters keep the types of their numbers.
      const exact = decode(bytes as Uint8Array) as unknown as Meta;
      const collection: Collection = {
        id: id as number,
        namespace: namespace as string,
        uuid: meta.uuid,
        options: exact.options,
        version: meta.version,
        indexes: meta.indexes.map(({ id, spec, multikey }, i) => {
          const partialFilterExpression = exact.indexes[i]?.spec.partialFilterExpression;
          return toIndex(
            id,
            { ...spec, ...(partialFilterExpression && { partialFilterExpression }) },
            multikey,
          );
        }),
      };
      collections.set(collection.namespace, collection);
      ids.set(collection.id, collection);
      clock = Math.max(clock, collection.version);
      nextId = Math.max(nextId, collection.id + 1, ...collection.indexes.map(({ id }) => id + 1));
    }
  }

  function save({ id, namespace, uuid, options, version, indexes }: Collection): void {
    changed = true;
    const meta: Meta = {
      uuid,
      options,
      version,
      indexes: indexes.map(({ id, spec, multikey }) => ({ id, spec, multikey })),
    };
    database.begin();
    database.run("insert or replace into collections values (?, ?, ?)", id, namespace, BSON.serialize(meta));
  }

  function makeIndexTable(index: Index): void {
    database.begin();
    database.run(
      `create table ${indexTable(index)} (k blob not null, r integer not null, primary key (k, r)) without rowid`,
    );
  }

  load();
  return {
    get version() {
      return clock;
    },
    find: (namespace) => collections.get(namespace),
    byId: (id) => ids.get(id),
    all: () => [...collections.values()].sort((a, b) => (a.namespace < b.namespace ? -1 : 1)),
    create(namespace, options = {}) {
      requireNamespace(namespace);
      const collection: Collection = {
        id: nextId++,
        namespace,
        uuid: new UUID(),
        options,
        version: ++clock,
        indexes: [toIndex(nextId++, ID_INDEX, false)],
      };
      collections.set(namespace, collection);
      ids.set(collection.id, collection);
      save(collection);
      database.run(`create table ${documentsTable(collection)} (r integer primary key, d blob not null)`);
      for (const index of collection.indexes) makeIndexTable(index);
      return collection;
    },
    drop(collection) {
      changed = true;
      database.begin();
      database.run("delete from collections where id = ?", collection.id);
      database.run(`drop table ${documentsTable(collection)}`);
      for (const index of collection.indexes) database.run(`drop table ${indexTable(index)}`);
      collections.delete(collection.namespace);
      ids.delete(collection.id);
      records.delete(collection.id);
    },
    rename(collection, namespace) {
      requireNamespace(namespace);
      collections.delete(collection.namespace);
      collection.namespace = namespace;
      collection.version = ++clock;
      collections.set(namespace, collection);
      save(collection);
    },
    setOptions(collection, options) {
      collection.options = options;
      collection.version = ++clock;
      save(collection);
    },
    addIndex(collection, spec) {
      const index = toIndex(nextId++, spec, false);
      collection.indexes = [...collection.indexes, index];
      collection.version = ++clock;
      save(collection);
      makeIndexTable(index);
      return index;
    },
    dropIndex(collection, index) {
      collection.indexes = collection.indexes.filter((one) => one !== index);
      collection.version = ++clock;
      save(collection);
      database.run(`drop table ${indexTable(index)}`);
    },
    changeIndex(collection, index, spec) {
      index.spec = spec;
      collection.version = ++clock;
      save(collection);
    },
    markMultikey(collection, index) {
      if (index.multikey) return;
      index.multikey = true;
      save(collection);
    },
    nextRecord(collection) {
      let last = records.get(collection.id);
      if (last === undefined) {
        const [row] = database.all(`select max(r) from ${documentsTable(collection)}`);
        last = (row?.[0] as number | null) ?? 0;
      }
      records.set(collection.id, last + 1);
      return last + 1;
    },
    beginView() {
      changed = false;
    },
    endView() {
      if (changed) load();
    },
    guard(work) {
      const outer = changed;
      changed = false;
      try {
        return database.atomically(work);
      } catch (error) {
        if (changed) load();
        throw error;
      } finally {
        changed ||= outer;
      }
    },
  };
}

function toIndex(id: number, spec: IndexSpec, multikey: boolean): Index {
  const { partialFilterExpression } = spec;
  const covers = partialFilterExpression ? matcherOf(partialFilterExpression) : undefined;
  return { id, spec, fields: indexFields(spec), covers, multikey };
}

function requireNamespace(namespace: string): void {
  const [database = "", ...rest] = namespace.split(".");
  const name = rest.join(".");
  const wrong =
    !/^[^/\\. "$*<>:|?\0]{1,63}$/.test(database) ||
    name === "" ||
    /^\.|\.$|\$|\0/.test(name) ||
    namespace.length > 255;
  if (wrong) throw failure(73, `Invalid namespace specified '${namespace}'`);
}
