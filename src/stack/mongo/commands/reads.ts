import { type Context, findCollection } from "../engine.ts";
import { badValue, failure, notSupported } from "../errors.ts";
import { nameOf } from "../keys.ts";
import { partsOf, visit } from "../paths.ts";
import { count, documentOf, type FindOptions, prepareFind } from "../query/find.ts";
import { projectionOf } from "../query/projection.ts";
import { type Document, encode, isNumber } from "../values.ts";
import { cursorReply } from "../wire/cursor-reply.ts";
import {
  collectionName,
  documentOr,
  flag,
  optionalDocument,
  requireAbsent,
  requireSimpleCollation,
  variables,
  wholeNumber,
} from "./arguments.ts";
import type { Commands, Reply } from "./command.ts";

function findOptions(context: Context, command: Document): FindOptions {
  requireSimpleCollation(command);
  const limit = isNumber(command["limit"]) ? Number(command["limit"]) : 0;
  return {
    sort: optionalDocument(command, "sort"),
    skip: wholeNumber(command, "skip"),
    limit: Math.abs(limit),
    hint: command["hint"] ?? undefined,
    variables: variables(command),
    checkTime: context.checkTime,
  };
}

function find(context: Context, command: Document): Reply {
  requireAbsent(command, "find", [
    "tailable",
    "awaitData",
    "oplogReplay",
    "returnKey",
    "showRecordId",
    "min",
    "max",
    "allowPartialResults",
  ]);
  const name = collectionName(command, "find");
  const filter = documentOr(command, "filter");
  const options = findOptions(context, command);
  const { results, score } = prepareFind(
    context.engine.records,
    findCollection(context, name),
    filter,
    options,
  );
  const projection = documentOr(command, "projection");
  const project =
    Object.keys(projection).length > 0
      ? projectionOf(projection, { variables: options.variables, find: { filter, score } })
      : undefined;
  const found = results();
  const documents = project
    ? found.map((each) => encode(project(documentOf(each))))
    : found.map(({ bytes }) => bytes);
  // A negative limit, of older drivers: no more than one batch.
  const single = flag(command, "singleBatch") || Number(command["limit"] ?? 0) < 0;
  return cursorReply(
    "firstBatch",
    context.engine.cursors.open(`${context.database}.${name}`, documents, {
      batchSize: wholeNumber(command, "batchSize"),
      single,
      session: context.session,
    }),
  );
}

function getMore({ engine, database }: Context, command: Document): Reply {
  const id: unknown = command["getMore"];
  if (!isNumber(id)) throw failure(14, "BSON field 'getMore.getMore' must be a long");
  const name: unknown = command["collection"];
  if (typeof name !== "string") throw failure(73, "BSON field 'getMore.collection' must be a string");
  const batch = engine.cursors.more(
    BigInt(id.toString()),
    `${database}.${name}`,
    wholeNumber(command, "batchSize"),
  );
  return cursorReply("nextBatch", batch);
}

function killCursors({ engine }: Context, command: Document): Reply {
  const ids: unknown = command["cursors"];
  if (!Array.isArray(ids) || !ids.every(isNumber))
    throw failure(14, "BSON field 'killCursors.cursors' must be an array of longs");
  const killed = ids.map((id) => engine.cursors.kill(BigInt(id.toString())));
  return {
    cursorsKilled: ids.filter((_id, i) => killed[i]),
    cursorsNotFound: ids.filter((_id, i) => !killed[i]),
    cursorsAlive: [],
    cursorsUnknown: [],
    ok: 1,
  };
}

function distinct(context: Context, command: Document): Reply {
  const key: unknown = command["key"];
  if (typeof key !== "string") throw badValue("distinct needs a key");
  const collection = findCollection(context, collectionName(command, "distinct"));
  const found = prepareFind(
    context.engine.records,
    collection,
    documentOr(command, "query"),
    findOptions(context, command),
  );
  const values = new Map<string, unknown>();
  for (const each of found.results()) {
    visit(documentOf(each), partsOf(key), (value) => {
      for (const one of Array.isArray(value) ? value : [value])
        if (one !== undefined) values.set(nameOf(one), one);
      return false;
    });
  }
  return { values: [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value), ok: 1 };
}

function explain(context: Context, command: Document): Reply {
  const inner = documentOr(command, "explain");
  const [kind = ""] = Object.keys(inner);
  if (!["find", "count", "distinct"].includes(kind)) throw notSupported(`explain of ${kind}`);
  const name = collectionName({ ...inner, $db: context.database }, kind);
  const filter = documentOr(inner, kind === "find" ? "filter" : "query");
  const collection = findCollection(context, name);
  const { plan } = prepareFind(context.engine.records, collection, filter, findOptions(context, inner));
  const [scan] = plan.scans ?? [];
  const access = scan
    ? {
        stage: "FETCH",
        inputStage: {
          stage: "IXSCAN",
          indexName: scan.index.spec.name,
          keyPattern: scan.index.spec.key,
          isMultiKey: scan.index.multikey,
          direction: plan.backwards ? "backward" : "forward",
        },
      }
    : { stage: collection ? "COLLSCAN" : "EOF", direction: plan.backwards ? "backward" : "forward" };
  const winningPlan = plan.sorted ? access : { stage: "SORT", inputStage: access };
  return {
    explainVersion: "1",
    queryPlanner: {
      namespace: `${context.database}.${name}`,
      parsedQuery: filter,
      winningPlan,
      rejectedPlans: [],
    },
    ok: 1,
  };
}

const query = [
  "filter",
  "sort",
  "projection",
  "hint",
  "skip",
  "limit",
  "batchSize",
  "singleBatch",
  "let",
  "collation",
];

export const reads: Commands = {
  find: {
    fields: [
      ...query,
      "allowDiskUse",
      "allowPartialResults",
      "awaitData",
      "max",
      "min",
      "noCursorTimeout",
      "oplogReplay",
      "returnKey",
      "showRecordId",
      "tailable",
      "term",
    ],
    inTransaction: true,
    run: find,
  },
  getMore: {
    fields: ["collection", "batchSize", "term", "lastKnownCommittedOpTime"],
    inTransaction: true,
    run: getMore,
  },
  killCursors: { fields: ["cursors"], inTransaction: true, run: killCursors },
  count: {
    fields: ["query", "limit", "skip", "hint", "collation", "fields"],
    run(context, command) {
      const collection = findCollection(context, collectionName(command, "count"));
      return {
        n: count(
          context.engine.records,
          collection,
          documentOr(command, "query"),
          findOptions(context, command),
        ),
        ok: 1,
      };
    },
  },
  distinct: { fields: ["key", "query", "collation", "hint"], inTransaction: true, run: distinct },
  explain: { fields: ["verbosity"], run: explain },
};
