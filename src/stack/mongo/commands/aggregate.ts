import { type Context, ensureCollection, findCollection } from "../engine.ts";
import { failedToParse, failure, notSupported } from "../errors.ts";
import { mergeWriter } from "../pipeline/merge.ts";
import { stageOf, stagesOf } from "../pipeline/stages.ts";
import { documentOf, prepareFind } from "../query/find.ts";
import { type Document, encode, isDocument } from "../values.ts";
import { cursorReply } from "../wire/cursor-reply.ts";
import {
  collectionName,
  optionalDocument,
  requireAbsent,
  requireFields,
  requireSimpleCollation,
  variables,
  wholeNumber,
} from "./arguments.ts";
import type { Commands, Reply } from "./command.ts";
import { removeDocument } from "./writing.ts";

/** Reads a collection as stages do. */
function reader(context: Context, lets: Document | undefined) {
  return (name: string, filter: Document): Document[] =>
    prepareFind(context.engine.records, findCollection(context, name), filter, {
      variables: lets,
      checkTime: context.checkTime,
    })
      .results()
      .map(documentOf);
}

function aggregate(context: Context, command: Document): Reply {
  requireAbsent(command, "aggregate", ["explain", "bypassDocumentValidation", "needsMerge", "fromMongos"]);
  requireSimpleCollation(command);
  if (command["aggregate"] === 1 || typeof command["aggregate"] !== "string")
    throw notSupported("An aggregation without a collection");
  const name = collectionName(command, "aggregate");
  const cursor = optionalDocument(command, "cursor");
  if (!cursor)
    throw failedToParse("The 'cursor' option is required, except for aggregate with the explain argument");
  requireFields(cursor, "aggregate.cursor", new Set(["batchSize"]));
  const given: unknown = command["pipeline"];
  if (!Array.isArray(given)) throw failure(14, "'pipeline' must be an array");
  const lets = variables(command);
  const read = reader(context, lets);

  let pipeline: unknown[] = given;
  const [lastName, target] = pipeline.length > 0 ? stageOf(pipeline.at(-1)) : ["", undefined];
  const writesTo = lastName === "$out" || lastName === "$merge" ? lastName : undefined;
  if (writesTo) pipeline = pipeline.slice(0, -1);
  if (writesTo && context.transaction) throw failure(263, `${writesTo} cannot be used in a transaction`);

  // What begins a pipeline is a query, and goes through an index.
  const first = splitQuery(pipeline);
  const run = stagesOf(first.rest, { variables: lets, read });
  const write = writesTo ? writer(context, writesTo, target) : undefined;
  const find = prepareFind(context.engine.records, findCollection(context, name), first.filter, {
    sort: first.sort,
    skip: first.skip,
    limit: first.limit,
    hint: command["hint"] ?? undefined,
    variables: lets,
    checkTime: context.checkTime,
  });
  const found = find.results();
  // Where nothing else is to be done, the documents go out as they are stored.
  let results: Uint8Array[];
  if (first.rest.length === 0 && !write) results = found.map(({ bytes }) => bytes);
  else {
    const documents = run(found.map(documentOf));
    results = write ? [] : documents.map(encode);
    write?.(documents);
  }
  return cursorReply(
    "firstBatch",
    context.engine.cursors.open(`${context.database}.${name}`, results, {
      batchSize: wholeNumber(cursor, "batchSize"),
      session: context.session,
    }),
  );
}

interface Query {
  filter: Document;
  sort?: Document;
  skip?: number;
  limit?: number;
  rest: unknown[];
}

/** `$match`, `$sort` and `$limit` at the beginning, in this order, are what `find` does. */
function splitQuery(pipeline: unknown[]): Query {
  const query: Query = { filter: {}, rest: pipeline };
  const next = (name: string): unknown => {
    if (query.rest.length === 0) return undefined;
    const [own, argument] = stageOf(query.rest[0]);
    if (own !== name) return undefined;
    query.rest = query.rest.slice(1);
    return argument;
  };
  const matched = next("$match");
  if (matched !== undefined) {
    if (!isDocument(matched)) throw failure(15959, "the match filter must be an expression in an object");
    query.filter = matched;
  }
  const sorted = next("$sort");
  if (sorted !== undefined) {
    if (!isDocument(sorted) || Object.keys(sorted).length === 0)
      throw failure(15976, "$sort stage must have at least one sort key");
    query.sort = sorted;
  }
  const skipped = next("$skip");
  if (skipped !== undefined) query.skip = wholeNumber({ skip: skipped }, "skip") ?? 0;
  const limited = next("$limit");
  if (limited !== undefined) {
    const limit = wholeNumber({ limit: limited }, "limit") ?? 0;
    if (limit <= 0) throw failure(15958, "the limit must be positive");
    query.limit = limit;
  }
  return query;
}

function writer(
  context: Context,
  stage: "$out" | "$merge",
  target: unknown,
): (documents: Document[]) => void {
  if (stage === "$merge") return mergeWriter(context, target);
  const name = typeof target === "string" ? target : isDocument(target) ? target["coll"] : undefined;
  if (typeof name !== "string") throw failure(16990, "$out needs the name of a collection");
  if (isDocument(target) && target["db"] !== undefined && target["db"] !== context.database) {
    throw notSupported("$out to another database");
  }
  return (documents) => {
    const { records } = context.engine;
    const collection = ensureCollection(context, name);
    for (const each of [...records.all(collection)]) removeDocument(context, collection, each);
    mergeWriter(context, { into: name, whenMatched: "fail" })(documents);
  };
}

export const aggregation: Commands = {
  aggregate: {
    fields: [
      "pipeline",
      "cursor",
      "explain",
      "allowDiskUse",
      "bypassDocumentValidation",
      "collation",
      "hint",
      "let",
      "needsMerge",
      "fromMongos",
    ],
    inTransaction: true,
    writes: ({ pipeline }) =>
      Array.isArray(pipeline) &&
      pipeline.some((stage) => isDocument(stage) && ("$out" in stage || "$merge" in stage)),
    run: aggregate,
  },
};
