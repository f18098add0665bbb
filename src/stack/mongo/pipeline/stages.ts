import { failure, notSupported } from "../errors.ts";
import { expressionOf } from "../query/expressions.ts";
import { filterContext, sortBy, sortOf } from "../query/find.ts";
import { matcherOf } from "../query/match.ts";
import { addedFields, projectionOf, withoutFields } from "../query/projection.ts";
import { type Document, field, isDocument, setField, toInteger, typeName } from "../values.ts";
import { bucket, count, group, sortByCount } from "./group.ts";
import { facet, graphLookup, lookup, unionWith } from "./joins.ts";
import { setWindowFields } from "./windows.ts";

/** One step of a pipeline: documents in, documents out. None changes those it is given. */
export type Stage = (documents: Document[]) => Document[];

/** What stages need of the world. */
export interface PipelineContext {
  /** What `$$name` stands for. */
  variables?: Document | undefined;
  /** The documents of another collection of the database that fit a filter. */
  read: (collection: string, filter: Document) => Document[];
}

export type Compile = (argument: unknown, context: PipelineContext) => Stage;

const compilers: Record<string, Compile> = {
  $match: (argument, { variables }) => {
    if (!isDocument(argument)) throw failure(15959, "the match filter must be an expression in an object");
    if (mentions(argument, "$text"))
      throw failure(17313, "$match with $text is only allowed as the first pipeline stage");
    const matches = matcherOf(argument, filterContext(variables));
    return (documents) => documents.filter(matches);
  },
  $sort: (argument) => {
    if (!isDocument(argument)) throw failure(15973, "the $sort key specification must be an object");
    const order = sortOf(argument);
    if (order.length === 0) throw failure(15976, "$sort stage must have at least one sort key");
    if (order.some(([, direction]) => direction === "score"))
      throw notSupported("$sort by textScore in a pipeline");
    return (documents) => sortBy(documents, (document) => document, order);
  },
  $limit: (argument) => {
    const most = toInteger(argument, "the limit");
    if (most <= 0) throw failure(15958, "the limit must be positive");
    return (documents) => documents.slice(0, most);
  },
  $skip: (argument) => {
    const some = toInteger(argument, "$skip");
    if (some < 0) throw failure(5107200, "Argument to $skip cannot be negative");
    return (documents) => documents.slice(some);
  },
  $project: (argument, { variables }) => {
    if (!isDocument(argument) || Object.keys(argument).length === 0) {
      throw failure(51272, "projection specification must have at least one field");
    }
    const project = projectionOf(argument, { variables });
    return (documents) => documents.map(project);
  },
  $addFields: (argument, { variables }) => {
    const project = addedFields(argument, variables);
    return (documents) => documents.map(project);
  },
  $unset: (argument) => {
    const project = withoutFields(argument);
    return (documents) => documents.map(project);
  },
  $replaceRoot: (argument, context) => {
    if (!isDocument(argument) || Object.keys(argument).join() !== "newRoot") {
      throw failure(40231, "$replaceRoot needs exactly the field newRoot");
    }
    return replaceWith(argument["newRoot"], context);
  },
  $replaceWith: (argument, context) => replaceWith(argument, context),
  $unwind: (argument) => unwind(argument),
  $group: group,
  $sortByCount: sortByCount,
  $bucket: bucket,
  $count: count,
  $facet: facet,
  $lookup: lookup,
  $graphLookup: graphLookup,
  $unionWith: unionWith,
  $setWindowFields: setWindowFields,
  $sample: (argument) => {
    const size = toInteger(isDocument(argument) ? argument["size"] : undefined, "$sample's size");
    if (size <= 0) throw failure(28747, "size argument to $sample must be positive");
    return (documents) =>
      documents
        .map((document) => ({ document, place: Math.random() }))
        .sort((a, b) => a.place - b.place)
        .slice(0, size)
        .map(({ document }) => document);
  },
};
compilers["$set"] = compilers["$addFields"] as Compile;

const refused = new Set([
  "$bucketAuto",
  "$changeStream",
  "$changeStreamSplitLargeEvent",
  "$collStats",
  "$currentOp",
  "$densify",
  "$documents",
  "$fill",
  "$geoNear",
  "$indexStats",
  "$listLocalSessions",
  "$listSampledQueries",
  "$listSearchIndexes",
  "$listSessions",
  "$planCacheStats",
  "$querySettings",
  "$redact",
  "$search",
  "$searchMeta",
  "$shardedDataDistribution",
  "$vectorSearch",
]);

/** @throws {MongoError} for stages that are not known, before any of them runs. */
export function stagesOf(pipeline: unknown, context: PipelineContext): Stage {
  if (!Array.isArray(pipeline)) throw failure(14, "A pipeline must be an array");
  const stages = pipeline.map((given) => {
    const [name, argument] = stageOf(given);
    const compile = Object.hasOwn(compilers, name) ? compilers[name] : undefined;
    if (compile) return compile(argument, context);
    if (name === "$out" || name === "$merge")
      throw failure(40601, `${name} can only be the final stage in the pipeline`);
    if (refused.has(name)) throw notSupported(`The stage ${name}`);
    throw failure(40324, `Unrecognized pipeline stage name: '${name}'`);
  });
  return (documents) => stages.reduce((some, run) => run(some), documents);
}

export function stageOf(given: unknown): [name: string, argument: unknown] {
  const [name, ...others] = isDocument(given) ? Object.keys(given) : [];
  if (!isDocument(given) || name === undefined || others.length > 0) {
    throw failure(40323, "A pipeline stage specification object must contain exactly one field.");
  }
  return [name, given[name]];
}

const ALLOWED_IN_UPDATES = ["$addFields", "$set", "$project", "$unset", "$replaceRoot", "$replaceWith"];

/** A pipeline that makes a new document of one. */
export function updateStages(pipeline: unknown[], variables?: Document): (document: Document) => Document {
  for (const given of pipeline) {
    const [name] = stageOf(given);
    if (!ALLOWED_IN_UPDATES.includes(name))
      throw failure(72, `${name} is not allowed to be used within an update`);
  }
  const none = () => {
    throw failure(72, "An update cannot read other collections");
  };
  const run = stagesOf(pipeline, { variables, read: none });
  return (document) => run([document])[0] as Document;
}

function replaceWith(argument: unknown, { variables }: PipelineContext): Stage {
  const root = expressionOf(argument, variables);
  return (documents) =>
    documents.map((document) => {
      const value = root(document);
      if (!isDocument(value)) {
        throw failure(
          40228,
          `'newRoot' expression must evaluate to an object, but resulting value was of type ${typeName(value)}`,
        );
      }
      return value;
    });
}

function unwind(argument: unknown): Stage {
  const options: Document = isDocument(argument) ? argument : { path: argument };
  const { path, includeArrayIndex, preserveNullAndEmptyArrays = false, ...others } = options;
  const [wrong] = Object.keys(others);
  if (wrong) throw failure(28811, `unrecognized option to $unwind stage: ${wrong}`);
  if (typeof path !== "string" || !path.startsWith("$")) {
    throw failure(28818, "path option to $unwind stage should be prefixed with a '$'");
  }
  if (typeof preserveNullAndEmptyArrays !== "boolean")
    throw failure(28809, "preserveNullAndEmptyArrays must be a boolean");
  if (
    includeArrayIndex !== undefined &&
    (typeof includeArrayIndex !== "string" || includeArrayIndex.includes("."))
  ) {
    throw failure(28810, "includeArrayIndex must be a name without dots");
  }
  const parts = path.slice(1).split(".");
  const withIndex = (document: Document, index: number | null) => {
    if (includeArrayIndex !== undefined) setField(document, includeArrayIndex, index);
    return document;
  };
  return (documents) =>
    documents.flatMap((document) => {
      const value = parts.reduce<unknown>(
        (at, part) => (isDocument(at) ? field(at, part) : undefined),
        document,
      );
      if (Array.isArray(value) && value.length > 0) {
        return value.map((one, i) => withIndex(withField(document, parts, one), i));
      }
      if (value !== null && value !== undefined && !Array.isArray(value))
        return [withIndex({ ...document }, null)];
      if (!preserveNullAndEmptyArrays) return [];
      return [
        withIndex(Array.isArray(value) ? withField(document, parts, undefined) : { ...document }, null),
      ];
    });
}

/** A copy of the document with another value at the path; undefined: without it. */
export function withField(document: Document, parts: string[], value: unknown): Document {
  const [name = "", ...rest] = parts;
  const copy = { ...document };
  const inner = field(copy, name);
  const next = rest.length === 0 ? value : withField(isDocument(inner) ? inner : {}, rest, value);
  if (next === undefined) delete copy[name];
  else setField(copy, name, next);
  return copy;
}

function mentions(value: unknown, name: string): boolean {
  if (Array.isArray(value)) return value.some((each) => mentions(each, name));
  return isDocument(value) && Object.keys(value).some((own) => own === name || mentions(value[own], name));
}
