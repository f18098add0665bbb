import { type Context, ensureCollection, findCollection } from "../engine.ts";
import { failedToParse, failure } from "../errors.ts";
import { documentOf, prepareFind } from "../query/find.ts";
import { projectionOf } from "../query/projection.ts";
import { isModification, updateOf } from "../query/update.ts";
import { type Document, isNumber, toNumber } from "../values.ts";
import {
  collectionName,
  documentOr,
  documents,
  flag,
  optionalDocument,
  requireAbsent,
  requireFields,
  requireSimpleCollation,
  variables,
} from "./arguments.ts";
import type { Commands, Reply } from "./command.ts";
import {
  eachWrite,
  findOne,
  insertDocument,
  removeDocument,
  updateDocument,
  upsertDocument,
  type WriteError,
} from "./writing.ts";

const MOST_WRITES = 100_000;

function statements(command: Document, name: string): Document[] {
  const list = documents(command, name);
  if (list.length === 0 || list.length > MOST_WRITES) {
    throw failure(
      72,
      `Write batch sizes must be between 1 and ${MOST_WRITES}. Got ${list.length} operations.`,
    );
  }
  return list;
}

const withErrors = (errors: WriteError[]) => (errors.length > 0 ? { writeErrors: errors } : {});

function insert(context: Context, command: Document): Reply {
  requireAbsent(command, "insert", ["bypassDocumentValidation"]);
  const list = statements(command, "documents");
  const collection = ensureCollection(context, collectionName(command, "insert"));
  let n = 0;
  const errors = eachWrite(context, list, flag(command, "ordered", true), (document) => {
    insertDocument(context, collection, document);
    n++;
  });
  return { n, ...withErrors(errors), ok: 1 };
}

const UPDATE_FIELDS = new Set([
  "q",
  "u",
  "multi",
  "upsert",
  "arrayFilters",
  "hint",
  "collation",
  "c",
  "sort",
  "upsertSupplied",
]);

export interface UpdateResult {
  matched: number;
  modified: number;
  upserted?: unknown;
}

/** One statement of an `update` command. */
export function runUpdate(
  context: Context,
  name: string,
  statement: Document,
  lets?: Document,
): UpdateResult {
  requireFields(statement, "update.updates", UPDATE_FIELDS);
  requireAbsent(statement, "update", ["c", "upsertSupplied"]);
  requireSimpleCollation(statement);
  const filter = documentOr(statement, "q");
  const multi = flag(statement, "multi");
  const given: unknown = statement["u"];
  if (multi && !isModification(given))
    throw failedToParse("multi update is not supported for replacement-style update");
  if (multi && statement["sort"] !== undefined) throw failedToParse("Cannot specify sort with multi=true");
  const update = updateOf(given, { filter, arrayFilters: statement["arrayFilters"], variables: lets });
  const upsert = flag(statement, "upsert");
  const collection = upsert ? ensureCollection(context, name) : findCollection(context, name);
  const { engine, checkTime } = context;
  const found = prepareFind(engine.records, collection, filter, {
    sort: optionalDocument(statement, "sort"),
    hint: statement["hint"],
    limit: multi ? 0 : 1,
    variables: lets,
    checkTime,
  }).results();
  if (collection && found.length === 0 && upsert) {
    return {
      matched: 0,
      modified: 0,
      upserted: upsertDocument(context, collection, filter, given, update)["_id"],
    };
  }
  let modified = 0;
  for (const each of found) {
    checkTime();
    if (collection && updateDocument(context, collection, each, update).changed) modified++;
  }
  return { matched: found.length, modified };
}

function update(context: Context, command: Document): Reply {
  requireAbsent(command, "update", ["bypassDocumentValidation"]);
  const name = collectionName(command, "update");
  const lets = variables(command);
  let n = 0;
  let nModified = 0;
  const upserted: Document[] = [];
  const errors = eachWrite(
    context,
    statements(command, "updates"),
    flag(command, "ordered", true),
    (statement, index) => {
      const result = runUpdate(context, name, statement, lets);
      n += result.matched;
      nModified += result.modified;
      if (!("upserted" in result)) return;
      n++;
      upserted.push({ index, _id: result.upserted });
    },
  );
  return { n, nModified, ...(upserted.length > 0 ? { upserted } : {}), ...withErrors(errors), ok: 1 };
}

const DELETE_FIELDS = new Set(["q", "limit", "hint", "collation"]);

/** One statement of a `delete` command. */
export function runDelete(context: Context, name: string, statement: Document, lets?: Document): number {
  requireFields(statement, "delete.deletes", DELETE_FIELDS);
  requireSimpleCollation(statement);
  const limit = isNumber(statement["limit"]) ? toNumber(statement["limit"]) : Number.NaN;
  if (limit !== 0 && limit !== 1) throw failedToParse("The limit field in delete objects must be 0 or 1");
  const collection = findCollection(context, name);
  const { engine, checkTime } = context;
  const found = prepareFind(engine.records, collection, documentOr(statement, "q"), {
    hint: statement["hint"],
    limit,
    variables: lets,
    checkTime,
  }).results();
  if (collection) for (const each of found) removeDocument(context, collection, each);
  return found.length;
}

function remove(context: Context, command: Document): Reply {
  const name = collectionName(command, "delete");
  const lets = variables(command);
  let n = 0;
  const errors = eachWrite(
    context,
    statements(command, "deletes"),
    flag(command, "ordered", true),
    (statement) => {
      n += runDelete(context, name, statement, lets);
    },
  );
  return { n, ...withErrors(errors), ok: 1 };
}

function findAndModify(context: Context, command: Document): Reply {
  requireAbsent(command, "findAndModify", ["bypassDocumentValidation"]);
  requireSimpleCollation(command);
  const name = collectionName(command, "findAndModify");
  const filter = documentOr(command, "query");
  const removing = flag(command, "remove");
  const returnsNew = flag(command, "new");
  const upsert = flag(command, "upsert");
  const given: unknown = command["update"];
  if (removing === (given !== undefined))
    throw failedToParse("Either an update or remove=true must be specified");
  if (removing && (returnsNew || upsert))
    throw failedToParse("Cannot specify both new or upsert and remove=true");
  const lets = variables(command);
  const fields = documentOr(command, "fields");
  const project =
    Object.keys(fields).length > 0
      ? projectionOf(fields, { variables: lets, find: { filter, score: undefined } })
      : (document: Document) => document;
  const update = removing
    ? undefined
    : updateOf(given, { filter, arrayFilters: command["arrayFilters"], variables: lets });

  const collection = upsert ? ensureCollection(context, name) : findCollection(context, name);
  const found =
    collection &&
    findOne(context, collection, filter, {
      sort: optionalDocument(command, "sort"),
      hint: command["hint"],
      variables: lets,
    });
  if (!collection || !found) {
    if (!collection || !upsert || !update) {
      const lastErrorObject = removing ? { n: 0 } : { n: 0, updatedExisting: false };
      return { lastErrorObject, value: null, ok: 1 };
    }
    const document = upsertDocument(context, collection, filter, given, update);
    return {
      lastErrorObject: { n: 1, updatedExisting: false, upserted: document["_id"] },
      value: returnsNew ? project(document) : null,
      ok: 1,
    };
  }
  const before = documentOf(found);
  if (!update) {
    removeDocument(context, collection, found);
    return { lastErrorObject: { n: 1 }, value: project(before), ok: 1 };
  }
  const { document } = updateDocument(context, collection, found, update);
  return {
    lastErrorObject: { n: 1, updatedExisting: true },
    value: project(returnsNew ? document : before),
    ok: 1,
  };
}

export const writes: Commands = {
  insert: {
    fields: ["documents", "ordered", "bypassDocumentValidation"],
    inTransaction: true,
    writes: true,
    run: insert,
  },
  update: {
    fields: ["updates", "ordered", "bypassDocumentValidation", "let"],
    inTransaction: true,
    writes: true,
    run: update,
  },
  delete: { fields: ["deletes", "ordered", "let"], inTransaction: true, writes: true, run: remove },
  findAndModify: {
    fields: [
      "query",
      "sort",
      "remove",
      "update",
      "new",
      "fields",
      "upsert",
      "bypassDocumentValidation",
      "collation",
      "arrayFilters",
      "hint",
      "let",
    ],
    inTransaction: true,
    writes: true,
    run: findAndModify,
  },
};
