import { failure, notSupported } from "../errors.ts";
import { equal, nameOf } from "../keys.ts";
import { sortValue } from "../paths.ts";
import { expressionOf } from "../query/expressions.ts";
import { sortBy, sortOf } from "../query/find.ts";
import { type Document, isDocument, toInteger } from "../values.ts";
import { accumulatorOf } from "./accumulators.ts";
import { type Compile, withField } from "./stages.ts";

/** Computes one output for each document of a sorted partition. */
type Output = (partition: Document[]) => unknown[];

const WINDOW_ACCUMULATORS = new Set([
  "$sum",
  "$avg",
  "$min",
  "$max",
  "$first",
  "$last",
  "$push",
  "$addToSet",
  "$count",
]);

export const setWindowFields: Compile = (given, { variables }) => {
  if (!isDocument(given) || !isDocument(given["output"])) {
    throw failure(9, "$setWindowFields needs an object with 'output'");
  }
  for (const name of Object.keys(given)) {
    if (!["partitionBy", "sortBy", "output"].includes(name))
      throw failure(40415, `BSON field '$setWindowFields.${name}' is an unknown field.`);
  }
  const key = expressionOf(given["partitionBy"] ?? null, variables);
  const order = sortOf(given["sortBy"] as Document | undefined);
  const fields: Document = given["output"];
  const outputs = Object.keys(fields).map((path) => ({
    parts: path.split("."),
    output: outputOf(fields[path], order, variables),
  }));
  return (documents) => {
    const partitions = new Map<string, Document[]>();
    for (const document of documents) {
      const name = nameOf(key(document) ?? null);
      const partition = partitions.get(name);
      if (partition) partition.push(document);
      else partitions.set(name, [document]);
    }
    return [...partitions]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, partition]) => {
        const sorted = sortBy(partition, (document) => document, order);
        const columns = outputs.map(({ output }) => output(sorted));
        return sorted.map((document, i) =>
          outputs.reduce(
            (result, { parts }, column) => withField(result, parts, columns[column]?.[i] ?? null),
            document,
          ),
        );
      });
  };
};

function outputOf(given: unknown, order: ReturnType<typeof sortOf>, variables: Document | undefined): Output {
  const operators = isDocument(given) ? Object.keys(given).filter((name) => name !== "window") : [];
  const [operator = ""] = operators;
  if (!isDocument(given) || operators.length !== 1)
    throw failure(9, "A window function is one operator, and perhaps a window");
  const argument: unknown = given[operator];
  const ranked = ["$rank", "$denseRank", "$documentNumber", "$shift"].includes(operator);
  if (ranked && order.length === 0) throw failure(5371602, `${operator} must be specified with a sortBy`);
  if (ranked && given["window"] !== undefined) throw failure(5371601, `${operator} does not accept a window`);
  switch (operator) {
    case "$documentNumber":
      return (partition) => partition.map((_document, i) => i + 1);
    case "$rank":
    case "$denseRank":
      return (partition) => ranks(partition, order, operator === "$denseRank");
    case "$shift": {
      if (!isDocument(argument)) throw failure(9, "$shift needs an object");
      const value = expressionOf(argument["output"], variables);
      const otherwise = argument["default"] ?? null;
      const by = toInteger(argument["by"], "$shift's by");
      return (partition) =>
        partition.map((_document, i) => {
          const other = partition[i + by];
          return other ? (value(other) ?? null) : otherwise;
        });
    }
  }
  if (!WINDOW_ACCUMULATORS.has(operator)) {
    accumulatorOf(operator, argument, variables); // says which of the two it is: not known, or not here
    throw notSupported(`The window function ${operator}`);
  }
  const start = accumulatorOf(operator, argument, variables);
  const [lower, upper] = boundsOf(given["window"], order.length > 0);
  return (partition) =>
    partition.map((_document, i) => {
      const accumulator = start();
      for (const document of partition.slice(Math.max(0, i + lower), Math.max(0, i + upper + 1)))
        accumulator.take(document);
      return accumulator.result();
    });
}

function boundsOf(window: unknown, sorted: boolean): [lower: number, upper: number] {
  const unbounded = Number.POSITIVE_INFINITY;
  if (window === undefined) return [-unbounded, unbounded];
  if (!isDocument(window)) throw failure(9, "'window' field must be an object");
  if (window["range"] !== undefined || window["unit"] !== undefined) throw notSupported("A window by range");
  const documents: unknown = window["documents"];
  if (Object.keys(window).length === 0) return [-unbounded, unbounded];
  if (!Array.isArray(documents) || documents.length !== 2)
    throw failure(9, "Window bounds must be a 2-element array");
  if (!sorted) throw failure(5339901, "Document-based bounds require a sortBy");
  const [lower, upper] = documents.map((bound, i) => {
    if (bound === "unbounded") return i === 0 ? -unbounded : unbounded;
    return bound === "current" ? 0 : toInteger(bound, "A window bound");
  }) as [number, number];
  if (lower > upper) throw failure(5339900, "Lower bound must not exceed upper bound");
  return [lower, upper];
}

function ranks(partition: Document[], order: ReturnType<typeof sortOf>, dense: boolean): number[] {
  const [[path, direction] = ["", 1 as const], ...others] = order;
  if (others.length > 0 || direction === "score")
    throw failure(
      5371602,
      "$rank must be specified with a top level sortBy expression with exactly one element",
    );
  let rank = 0;
  let last: unknown;
  return partition.map((document, i) => {
    const value = sortValue(document, path, direction);
    if (i === 0 || !equal(value, last)) rank = dense ? rank + 1 : i + 1;
    last = value;
    return rank;
  });
}
