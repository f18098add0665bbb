import { failure, notSupported } from "../errors.ts";
import { nameOf } from "../keys.ts";
import { keyValues } from "../paths.ts";
import { expressionOf } from "../query/expressions.ts";
import { type Document, isDocument, setField, toInteger } from "../values.ts";
import { type Compile, type PipelineContext, stagesOf, withField } from "./stages.ts";

function options(name: string, argument: unknown, known: string[]): Document {
  if (!isDocument(argument)) throw failure(9, `the ${name} specification must be an object`);
  for (const own of Object.keys(argument)) {
    if (!known.includes(own)) throw failure(9, `unknown argument to ${name}: ${own}`);
  }
  return argument;
}

function nameIn(argument: Document, name: string, stage: string): string {
  const value: unknown = argument[name];
  if (typeof value !== "string") throw failure(9, `${stage} argument '${name}' must be a string`);
  return value;
}

/** The values that an equality join compares: of an array each element, of nothing null. */
function joinValues(document: Document, path: string): unknown[] {
  const { values, multikey } = keyValues(document, path);
  return multikey ? values.filter((value) => value !== undefined) : values;
}

export const lookup: Compile = (given, context) => {
  const argument = options("$lookup", given, ["from", "localField", "foreignField", "let", "pipeline", "as"]);
  const from = nameIn(argument, "from", "$lookup");
  const as = nameIn(argument, "as", "$lookup").split(".");
  const byField = argument["localField"] !== undefined || argument["foreignField"] !== undefined;
  if (!byField && argument["pipeline"] === undefined) {
    throw failure(
      9,
      "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified",
    );
  }
  const local = byField ? nameIn(argument, "localField", "$lookup") : "";
  const foreign = byField ? nameIn(argument, "foreignField", "$lookup") : "";
  const bindings: unknown = argument["let"] ?? {};
  if (!isDocument(bindings)) throw failure(9, "$lookup argument 'let' must be an object");
  const lets = Object.keys(bindings).map((name) => {
    if (!/^[a-z]/.test(name))
      throw failure(16867, `'${name}' starts with an invalid character for a user variable name`);
    return [name, expressionOf(bindings[name], context.variables)] as const;
  });
  const { pipeline } = argument;
  const stages = (variables: Document) => stagesOf(pipeline ?? [], { ...context, variables });
  const placeholder = Object.fromEntries(lets.map(([name]) => [name, null]));
  stages({ ...context.variables, ...placeholder }); // what is wrong with it is told even where nothing is to be joined

  return (documents) => {
    // Without a field to join by, the other collection is the same for every document.
    let all: Document[] | undefined;
    return documents.map((document) => {
      let joined: Document[];
      if (byField) joined = context.read(from, { [foreign]: { $in: joinValues(document, local) } });
      else joined = all ??= context.read(from, {});
      if (pipeline !== undefined) {
        const variables: Document = { ...context.variables };
        for (const [name, value] of lets) variables[name] = value(document);
        joined = stages(variables)(joined);
      }
      return withField(document, as, joined);
    });
  };
};

export const graphLookup: Compile = (given, context) => {
  const argument = options("$graphLookup", given, [
    "from",
    "startWith",
    "connectFromField",
    "connectToField",
    "as",
    "maxDepth",
    "depthField",
    "restrictSearchWithMatch",
  ]);
  const from = nameIn(argument, "from", "$graphLookup");
  const as = nameIn(argument, "as", "$graphLookup").split(".");
  const connectFrom = nameIn(argument, "connectFromField", "$graphLookup");
  const connectTo = nameIn(argument, "connectToField", "$graphLookup");
  const start = expressionOf(argument["startWith"], context.variables);
  const { depthField, maxDepth, restrictSearchWithMatch: restriction = {} } = argument;
  if (depthField !== undefined && (typeof depthField !== "string" || depthField.includes("."))) {
    throw failure(40101, "$graphLookup argument 'depthField' must be a name without dots");
  }
  if (!isDocument(restriction)) throw failure(40185, "restrictSearchWithMatch must be an object");
  const deepest = maxDepth === undefined ? Number.POSITIVE_INFINITY : toInteger(maxDepth, "maxDepth");

  return (documents) =>
    documents.map((document) => {
      const found = new Map<string, Document>();
      const asked = new Set<string>();
      const first = start(document);
      let frontier: unknown[] = Array.isArray(first) ? first : [first ?? null];
      for (let depth = 0; depth <= deepest && frontier.length > 0; depth++) {
        const fresh = frontier.filter((value) => !asked.has(nameOf(value)));
        for (const value of fresh) asked.add(nameOf(value));
        const next: unknown[] = [];
        for (const each of context.read(from, { $and: [{ [connectTo]: { $in: fresh } }, restriction] })) {
          const id = nameOf(each["_id"]);
          if (found.has(id)) continue;
          const copy = { ...each };
          if (depthField !== undefined) setField(copy, depthField, depth);
          found.set(id, copy);
          next.push(...joinValues(each, connectFrom));
        }
        frontier = next;
      }
      return withField(document, as, [...found.values()]);
    });
};

export const facet: Compile = (given, context) => {
  if (!isDocument(given) || Object.keys(given).length === 0)
    throw failure(40169, "the $facet specification must be a non-empty object");
  const facets = Object.keys(given).map((name) => {
    const pipeline: unknown = given[name];
    if (Array.isArray(pipeline) && pipeline.some((stage) => isDocument(stage) && "$facet" in stage)) {
      throw failure(40600, "$facet is not allowed to be used within a $facet stage");
    }
    return [name, stagesOf(pipeline, context)] as const;
  });
  return (documents) => {
    const result: Document = {};
    for (const [name, run] of facets) setField(result, name, run(documents));
    return [result];
  };
};

export const unionWith: Compile = (given, context: PipelineContext) => {
  const argument =
    typeof given === "string" ? { coll: given } : options("$unionWith", given, ["coll", "pipeline"]);
  if (argument["coll"] === undefined) throw notSupported("$unionWith without a collection");
  const from = nameIn(argument, "coll", "$unionWith");
  const run = stagesOf(argument["pipeline"] ?? [], context);
  return (documents) => [...documents, ...run(context.read(from, {}))];
};
