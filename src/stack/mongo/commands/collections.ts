import { type Context, ensureCollection, findCollection, requireCollection } from "../engine.ts";
import { badValue, failure } from "../errors.ts";
import { equal } from "../keys.ts";
import { matcherOf } from "../query/match.ts";
import type { Collection } from "../storage/catalog.ts";
import { describeIndex, findIndex, ID_INDEX, indexSpec } from "../storage/index-specs.ts";
import { validatorOf } from "../validation.ts";
import { type Document, encode, isDocument, isNumber } from "../values.ts";
import { cursorReply } from "../wire/cursor-reply.ts";
import {
  collectionName,
  documentOr,
  documents,
  flag,
  optionalDocument,
  requireAbsent,
  requireFields,
  requireSimpleCollation,
  wholeNumber,
} from "./arguments.ts";
import type { Commands, Reply } from "./command.ts";

const databaseOf = (namespace: string) => namespace.slice(0, namespace.indexOf("."));
const nameWithin = (namespace: string) => namespace.slice(namespace.indexOf(".") + 1);

function asCursor(
  { engine, session }: Context,
  namespace: string,
  command: Document,
  found: Document[],
): Reply {
  const cursor = documentOr(command, "cursor");
  requireFields(cursor, "cursor", new Set(["batchSize"]));
  const batchSize = wholeNumber(cursor, "batchSize");
  return cursorReply(
    "firstBatch",
    engine.cursors.open(namespace, found.map(encode), {
      batchSize: batchSize ?? Number.POSITIVE_INFINITY,
      session,
    }),
  );
}

const VALIDATION = ["validator", "validationLevel", "validationAction"];

function validation(command: Document): Document {
  const options: Document = {};
  for (const name of VALIDATION) if (command[name] !== undefined) options[name] = command[name];
  const validator = optionalDocument(options, "validator");
  if (validator) validatorOf(validator);
  if (!["off", "strict", "moderate", undefined].includes(options["validationLevel"]))
    throw badValue("validationLevel must be off, strict or moderate");
  if (!["error", "warn", undefined].includes(options["validationAction"]))
    throw badValue("validationAction must be error or warn");
  return options;
}

function create(context: Context, command: Document): Reply {
  const name = collectionName(command, "create");
  requireAbsent(command, "create", [
    "timeseries",
    "viewOn",
    "pipeline",
    "clusteredIndex",
    "changeStreamPreAndPostImages",
    "expireAfterSeconds",
    "encryptedFields",
    "storageEngine",
  ]);
  requireSimpleCollation(command);
  const options = validation(command);
  if (flag(command, "capped")) {
    const size = wholeNumber(command, "size", 1);
    if (size === undefined) throw failure(72, "the 'size' field is required when 'capped' is true");
    Object.assign(options, { capped: true, size });
    const max = wholeNumber(command, "max");
    if (max) options["max"] = max;
  } else if (command["size"] !== undefined || command["max"] !== undefined) {
    throw failure(
      72,
      "the 'capped' field needs to be true when either the 'size' or 'max' fields are present",
    );
  }
  const existing = findCollection(context, name);
  if (existing) {
    if (equal(existing.options, options)) return { ok: 1 };
    throw failure(48, `Collection ${existing.namespace} already exists.`);
  }
  context.engine.catalog.create(`${context.database}.${name}`, options);
  return { ok: 1 };
}

function collMod(context: Context, command: Document): Reply {
  requireAbsent(command, "collMod", [
    "viewOn",
    "pipeline",
    "changeStreamPreAndPostImages",
    "cappedSize",
    "cappedMax",
    "expireAfterSeconds",
  ]);
  const collection = requireCollection(context, collectionName(command, "collMod"));
  const { catalog } = context.engine;
  const reply: Document = {};
  const change = optionalDocument(command, "index");
  if (change) {
    requireFields(change, "collMod.index", new Set(["name", "keyPattern", "expireAfterSeconds"]));
    const index = collection.indexes.find(
      ({ spec }) => spec.name === change["name"] || equal(spec.key, change["keyPattern"] ?? null),
    );
    if (!index)
      throw failure(27, `cannot find index ${String(change["name"])} for ns ${collection.namespace}`);
    const seconds = change["expireAfterSeconds"];
    if (!isNumber(seconds)) throw failure(72, "no expireAfterSeconds field");
    reply["expireAfterSeconds_old"] = index.spec.expireAfterSeconds;
    reply["expireAfterSeconds_new"] = seconds;
    catalog.changeIndex(collection, index, indexSpec({ ...index.spec, expireAfterSeconds: seconds }));
  }
  const options = validation(command);
  if (Object.keys(options).length > 0) {
    const changed: Document = { ...collection.options, ...options };
    if (isDocument(changed["validator"]) && Object.keys(changed["validator"]).length === 0)
      delete changed["validator"];
    catalog.setOptions(collection, changed);
  }
  return { ...reply, ok: 1 };
}

function listCollections(context: Context, command: Document): Reply {
  const { engine, database } = context;
  const matches = matcherOf(documentOr(command, "filter"));
  const found = engine.catalog
    .all()
    .filter(({ namespace }) => databaseOf(namespace) === database)
    .map(({ namespace, options, uuid }) => ({
      name: nameWithin(namespace),
      type: "collection",
      options,
      info: { readOnly: false, uuid },
      idIndex: describeIndex(ID_INDEX),
    }))
    .filter(matches);
  const shown = flag(command, "nameOnly") ? found.map(({ name, type }) => ({ name, type })) : found;
  return asCursor(context, `${database}.$cmd.listCollections`, command, shown);
}

function renameCollection(context: Context, command: Document): Reply {
  const { catalog } = context.engine;
  const [from, to] = [command["renameCollection"], command["to"]];
  if (typeof from !== "string" || typeof to !== "string")
    throw failure(73, "renameCollection needs two namespaces");
  const source = catalog.find(from);
  if (!source) throw failure(26, `Source collection ${from} does not exist`);
  const target = catalog.find(to);
  if (target === source) throw failure(20, "Can't rename a collection to itself");
  if (target) {
    if (!flag(command, "dropTarget")) throw failure(48, "target namespace exists");
    catalog.drop(target);
  }
  catalog.rename(source, to);
  return { ok: 1 };
}

function createIndexes(context: Context, command: Document): Reply {
  const name = collectionName(command, "createIndexes");
  const specs = documents(command, "indexes").map(indexSpec);
  if (specs.length === 0) throw badValue("Must specify at least one index to create");
  const created = findCollection(context, name) === undefined;
  const collection = ensureCollection(context, name);
  const { catalog, records } = context.engine;
  const before = collection.indexes.length;
  for (const spec of specs) {
    if (
      findIndex(
        collection.indexes.map((index) => index.spec),
        spec,
      )
    )
      continue;
    records.buildIndex(collection, catalog.addIndex(collection, spec));
  }
  const after = collection.indexes.length;
  const note = before === after ? { note: "all indexes already exist" } : {};
  return {
    numIndexesBefore: before,
    numIndexesAfter: after,
    createdCollectionAutomatically: created,
    ...note,
    ok: 1,
  };
}

function listIndexes(context: Context, command: Document): Reply {
  const collection = requireCollection(context, collectionName(command, "listIndexes"));
  const found = collection.indexes.map(({ spec }) => describeIndex(spec));
  return asCursor(context, collection.namespace, command, found);
}

function dropIndexes(context: Context, command: Document): Reply {
  const collection = requireCollection(context, collectionName(command, "dropIndexes"));
  const wanted: unknown = command["index"];
  const was = collection.indexes.length;
  const own = collection.indexes.filter(({ spec }) => spec.name !== ID_INDEX.name);
  const drop = (indexes: Collection["indexes"]) => {
    for (const index of indexes) context.engine.catalog.dropIndex(collection, index);
  };
  if (wanted === "*") drop(own);
  else {
    for (const one of Array.isArray(wanted) ? wanted : [wanted]) {
      if (one === ID_INDEX.name) throw failure(72, "cannot drop _id index");
      const index = own.find(({ spec }) => spec.name === one || (isDocument(one) && equal(spec.key, one)));
      if (!index)
        throw failure(
          27,
          `index not found with name [${typeof one === "string" ? one : JSON.stringify(one)}]`,
        );
      drop([index]);
    }
  }
  return { nIndexesWas: was, ok: 1 };
}

function size({ engine }: Context, collection: Collection): { count: number; size: number } {
  let bytes = 0;
  let count = 0;
  for (const one of engine.records.all(collection)) {
    bytes += one.bytes.length;
    count++;
  }
  return { count, size: bytes };
}

function collStats(context: Context, command: Document): Reply {
  const name = collectionName(command, "collStats");
  const collection = findCollection(context, name);
  const scale = wholeNumber(command, "scale", 1) ?? 1;
  const { count, size: bytes } = collection ? size(context, collection) : { count: 0, size: 0 };
  return {
    ns: `${context.database}.${name}`,
    count,
    size: Math.trunc(bytes / scale),
    storageSize: Math.trunc(bytes / scale),
    ...(count > 0 ? { avgObjSize: Math.trunc(bytes / count) } : {}),
    nindexes: collection?.indexes.length ?? 0,
    capped: collection?.options["capped"] === true,
    scaleFactor: scale,
    ok: 1,
  };
}

function databases({ engine }: Context): Map<string, Collection[]> {
  const found = new Map<string, Collection[]>();
  for (const collection of engine.catalog.all()) {
    const name = databaseOf(collection.namespace);
    found.set(name, [...(found.get(name) ?? []), collection]);
  }
  return found;
}

function dbStats(context: Context, command: Document): Reply {
  const scale = wholeNumber(command, "scale", 1) ?? 1;
  const own = databases(context).get(context.database) ?? [];
  const sizes = own.map((collection) => size(context, collection));
  const dataSize = sizes.reduce((sum, one) => sum + one.size, 0);
  return {
    db: context.database,
    collections: own.length,
    views: 0,
    objects: sizes.reduce((sum, one) => sum + one.count, 0),
    dataSize: Math.trunc(dataSize / scale),
    storageSize: Math.trunc(dataSize / scale),
    indexes: own.reduce((sum, { indexes }) => sum + indexes.length, 0),
    scaleFactor: scale,
    ok: 1,
  };
}

function listDatabases(context: Context, command: Document): Reply {
  const matches = matcherOf(documentOr(command, "filter"));
  const found = [...databases(context)]
    .map(([name, own]) => {
      const sizeOnDisk = flag(command, "nameOnly")
        ? 0
        : own.reduce((sum, one) => sum + size(context, one).size, 0);
      return { name, sizeOnDisk, empty: false };
    })
    .filter(matches);
  const totalSize = found.reduce((sum, { sizeOnDisk }) => sum + sizeOnDisk, 0);
  return {
    databases: flag(command, "nameOnly") ? found.map(({ name }) => ({ name })) : found,
    totalSize,
    ok: 1,
  };
}

const createFields = [
  "capped",
  "size",
  "max",
  "autoIndexId",
  "timeseries",
  "viewOn",
  "pipeline",
  "collation",
  "clusteredIndex",
  "changeStreamPreAndPostImages",
  "expireAfterSeconds",
  "encryptedFields",
  "storageEngine",
  "indexOptionDefaults",
  "flags",
];

export const collections: Commands = {
  create: { fields: [...VALIDATION, ...createFields], writes: true, run: create },
  collMod: {
    fields: [
      ...VALIDATION,
      "index",
      "viewOn",
      "pipeline",
      "changeStreamPreAndPostImages",
      "cappedSize",
      "cappedMax",
      "expireAfterSeconds",
    ],
    writes: true,
    run: collMod,
  },
  drop: {
    fields: [],
    writes: true,
    run(context, command) {
      const collection = findCollection(context, collectionName(command, "drop"));
      if (!collection) return { ok: 1 };
      context.engine.catalog.drop(collection);
      return { ns: collection.namespace, nIndexesWas: collection.indexes.length, ok: 1 };
    },
  },
  dropDatabase: {
    fields: [],
    writes: true,
    run(context) {
      for (const collection of databases(context).get(context.database) ?? [])
        context.engine.catalog.drop(collection);
      return { dropped: context.database, ok: 1 };
    },
  },
  renameCollection: {
    fields: ["to", "dropTarget", "stayTemp"],
    adminOnly: true,
    writes: true,
    run: renameCollection,
  },
  listCollections: {
    fields: ["filter", "nameOnly", "authorizedCollections", "cursor"],
    run: listCollections,
  },
  listDatabases: {
    fields: ["filter", "nameOnly", "authorizedDatabases"],
    adminOnly: true,
    run: listDatabases,
  },
  createIndexes: {
    fields: ["indexes", "commitQuorum", "ignoreUnknownIndexOptions"],
    writes: true,
    run: createIndexes,
  },
  listIndexes: { fields: ["cursor"], run: listIndexes },
  dropIndexes: { fields: ["index"], writes: true, run: dropIndexes },
  collStats: { fields: ["scale"], run: collStats },
  dbStats: { fields: ["scale", "freeStorage"], run: dbStats },
};
