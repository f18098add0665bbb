import { failure } from "../errors.ts";
import { compare, nameOf } from "../keys.ts";
import { expressionOf } from "../query/expressions.ts";
import { type Document, isDocument, setField } from "../values.ts";
import { type Accumulator, accumulatorOf } from "./accumulators.ts";
import type { Compile, Stage } from "./stages.ts";

interface Output {
  name: string;
  start: () => Accumulator;
}

function outputsOf(fields: Document, variables: Document | undefined): Output[] {
  return Object.keys(fields).map((name) => {
    const given: unknown = fields[name];
    const [operator = "", ...others] = isDocument(given) ? Object.keys(given) : [];
    if (!isDocument(given) || others.length > 0) {
      throw failure(40234, `The field '${name}' must be an accumulator object`);
    }
    if (name.includes(".")) throw failure(40235, `The field name '${name}' cannot contain '.'`);
    if (name.startsWith("$")) throw failure(40236, `The field name '${name}' cannot be an operator name`);
    return { name, start: accumulatorOf(operator, given[operator], variables) };
  });
}

/** Collects documents by a key, in the order in which the keys appear. */
function grouping(
  keyOf: (document: Document) => unknown,
  outputs: Output[],
): (documents: Document[]) => Document[] {
  return (documents) => {
    const groups = new Map<string, { id: unknown; accumulators: Accumulator[] }>();
    for (const document of documents) {
      const id = keyOf(document) ?? null;
      const name = nameOf(id);
      let group = groups.get(name);
      if (!group) {
        group = { id, accumulators: outputs.map(({ start }) => start()) };
        groups.set(name, group);
      }
      for (const accumulator of group.accumulators) accumulator.take(document);
    }
    return [...groups.values()].map(({ id, accumulators }) => {
      const result: Document = { _id: id };
      for (const [i, { name }] of outputs.entries()) setField(result, name, accumulators[i]?.result());
      return result;
    });
  };
}

export const group: Compile = (argument, { variables }) => {
  if (!isDocument(argument)) throw failure(15947, "a group's fields must be specified in an object");
  if (!Object.hasOwn(argument, "_id")) throw failure(15955, "a group specification must include an _id");
  const { _id, ...fields } = argument;
  return grouping(expressionOf(_id, variables), outputsOf(fields, variables));
};

export const sortByCount: Compile = (argument, { variables }): Stage => {
  const groups = grouping(expressionOf(argument, variables), [
    { name: "count", start: accumulatorOf("$sum", 1) },
  ]);
  return (documents) => groups(documents).sort((a, b) => compare(b["count"], a["count"]));
};

export const bucket: Compile = (argument, { variables }) => {
  if (!isDocument(argument)) throw failure(40201, "Argument to $bucket stage must be an object");
  for (const name of Object.keys(argument)) {
    if (!["groupBy", "boundaries", "default", "output"].includes(name)) {
      throw failure(40197, `Unrecognized option to $bucket: ${name}`);
    }
  }
  const { boundaries, output = { count: { $sum: 1 } } } = argument;
  if (!Array.isArray(boundaries) || boundaries.length < 2) {
    throw failure(40192, "The $bucket 'boundaries' field must be an array of at least two values");
  }
  for (const [i, boundary] of boundaries.entries()) {
    if (i > 0 && compare(boundaries[i - 1], boundary) >= 0) {
      throw failure(40194, "The 'boundaries' option to $bucket must be sorted");
    }
  }
  const value = expressionOf(argument["groupBy"], variables);
  const groups = grouping(
    (document) => {
      const own = value(document) ?? null;
      const above = boundaries.findIndex((boundary) => compare(own, boundary) < 0);
      if (above > 0) return boundaries[above - 1];
      if (!Object.hasOwn(argument, "default")) {
        throw failure(
          40066,
          "$switch could not find a matching branch for an input, and no default was specified.",
        );
      }
      return argument["default"];
    },
    outputsOf(output as Document, variables),
  );
  return (documents) => groups(documents).sort((a, b) => compare(a["_id"], b["_id"]));
};

export const count: Compile = (argument) => {
  if (typeof argument !== "string" || argument === "" || /[.\0]|^\$/.test(argument)) {
    throw failure(40156, "the count field must be a non-empty string without '.' and '$'");
  }
  return (documents) => (documents.length === 0 ? [] : [{ [argument]: documents.length }]);
};
