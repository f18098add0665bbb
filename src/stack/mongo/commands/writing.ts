// What all commands that write have in common: one document at a time, checked, and then stored with its index entries.
import { ObjectId } from "bson";
import type { Context } from "../engine.ts";
import { failure, MongoError } from "../errors.ts";
import { documentOf, type Found, prepareFind } from "../query/find.ts";
import { isModification, seedOf, type Update } from "../query/update.ts";
import type { Collection } from "../storage/catalog.ts";
import { requireValid } from "../validation.ts";
import { type Document, encode, field, requireSound, typeName } from "../values.ts";

/** Stores a new document, under an id of its own if it brings none. */
export function insertDocument(context: Context, collection: Collection, given: Document): Document {
  const document = withId(given);
  requireStorable(document);
  const bytes = encode(document);
  store(context, collection, context.engine.catalog.nextRecord(collection), bytes, document);
  makeRoom(context, collection);
  return document;
}

/** Puts the new version of a document in the place of the old one; false when nothing has changed. */
export function updateDocument(
  context: Context,
  collection: Collection,
  found: Found,
  update: Update,
): { document: Document; changed: boolean } {
  const before = documentOf(found);
  const document = update(before);
  const bytes = encode(document);
  if (Buffer.compare(bytes, encode(before)) === 0) return { document: before, changed: false };
  requireStorable(document);
  store(context, collection, found.record, bytes, document, before);
  return { document, changed: true };
}

export function removeDocument(
  { engine, transaction }: Context,
  collection: Collection,
  { record }: Found,
): void {
  engine.transactions.write(transaction, collection, record, undefined);
}

/** What an update makes where it finds nothing: of the values that the filter asks for. */
export function upsertDocument(
  context: Context,
  collection: Collection,
  filter: Document,
  given: unknown,
  update: Update,
): Document {
  const seed = seedOf(filter);
  // A replacement takes nothing from the filter but the id.
  const id = field(seed, "_id");
  const base = isModification(given) ? seed : id === undefined ? {} : { _id: id };
  return insertDocument(context, collection, update(base, true));
}

function store(
  { engine, transaction }: Context,
  collection: Collection,
  record: number,
  bytes: Uint8Array,
  document: Document,
  before?: Document,
): void {
  requireValid(collection, document, before);
  engine.records.requireUnique(collection, document, record);
  engine.transactions.write(transaction, collection, record, bytes, document);
}

function withId(document: Document): Document {
  const [first] = Object.keys(document);
  if (first === "_id" && document["_id"] !== undefined) return document;
  const { _id = new ObjectId(), ...rest } = document;
  return { _id, ...rest };
}

function requireStorable(document: Document): void {
  requireSound(document);
  const id = field(document, "_id");
  const type = typeName(id);
  if (type === "array" || type === "regex" || type === "missing") {
    throw failure(53, `The '_id' value cannot be of type ${type}`);
  }
  for (const name of Object.keys(document)) {
    if (name.startsWith("$")) throw failure(52, `Field names may not start with '$': '${name}'`);
  }
}

/** Of a capped collection the oldest documents go. */
function makeRoom(context: Context, collection: Collection): void {
  const { capped, max, size } = collection.options;
  if (!capped) return;
  const { records } = context.engine;
  const all = [...records.all(collection)];
  let bytes = all.reduce((sum, one) => sum + one.bytes.length, 0);
  let count = all.length;
  for (const each of all) {
    if (bytes <= Number(size) && (max === undefined || count <= Number(max))) return;
    removeDocument(context, collection, each);
    bytes -= each.bytes.length;
    count--;
  }
}

/** What went wrong with one of the writes of a command. */
export interface WriteError {
  index: number;
  code: number;
  errmsg: string;
}

/**
 * Does one write after the other.
 *
 * @param ordered stop at the first that fails
 */
export function eachWrite<T>(
  { transaction }: Context,
  writes: T[],
  ordered: boolean,
  write: (one: T, index: number) => void,
): WriteError[] {
  const errors: WriteError[] = [];
  for (const [index, one] of writes.entries()) {
    try {
      write(one, index);
    } catch (error) {
      // A transaction fails as a whole, and a write that has to wait is done again as a whole.
      if (!(error instanceof MongoError) || fatal.has(error.code)) throw error;
      errors.push({ index, code: error.code, errmsg: error.message, ...error.details });
      if (ordered || transaction) break;
    }
  }
  return errors;
}

const fatal = new Set([50, 112, 238, 246]);

export function findOne(
  context: Context,
  collection: Collection,
  filter: Document,
  options: { sort?: Document | undefined; hint?: unknown; variables?: Document | undefined },
): Found | undefined {
  const { engine, checkTime } = context;
  return prepareFind(engine.records, collection, filter, { ...options, limit: 1, checkTime }).results()[0];
}
