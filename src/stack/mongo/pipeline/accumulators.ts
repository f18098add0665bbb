import { Decimal128, Double } from "bson";
import { failure, notSupported } from "../errors.ts";
import { compare, nameOf } from "../keys.ts";
import { add } from "../numbers.ts";
import { type Evaluate, expressionOf } from "../query/expressions.ts";
import { type Document, isDocument, isNumber, type Number_, setField, toNumber } from "../values.ts";

/** Takes in documents one after the other, and says what they come to. */
export interface Accumulator {
  take(document: Document): void;
  result(): unknown;
}

type Compile = (argument: unknown, variables: Document | undefined) => () => Accumulator;

/** An accumulator of the values of one expression. */
const ofValues =
  <State>(
    initial: () => State,
    step: (state: State, value: unknown) => State,
    finish: (state: State) => unknown,
  ): Compile =>
  (argument, variables) => {
    const evaluate: Evaluate = expressionOf(argument, variables);
    return () => {
      let state = initial();
      return {
        take(document) {
          state = step(state, evaluate(document));
        },
        result: () => finish(state),
      };
    };
  };

const extreme = (sign: 1 | -1) =>
  ofValues<{ value: unknown }>(
    () => ({ value: undefined }),
    (best, value) =>
      value === null ||
      value === undefined ||
      (best.value !== undefined && compare(value, best.value) * sign <= 0)
        ? best
        : { value },
    ({ value }) => value ?? null,
  );

const compilers: Record<string, Compile> = {
  $sum: ofValues<Number_>(
    () => 0,
    (sum, value) => (isNumber(value) ? add(sum, value) : sum),
    (sum) => sum,
  ),
  $avg: ofValues<{ sum: number; count: number }>(
    () => ({ sum: 0, count: 0 }),
    ({ sum, count }, value) => {
      if (!isNumber(value)) return { sum, count };
      if (value instanceof Decimal128) throw notSupported("$avg of decimals");
      return { sum: sum + toNumber(value), count: count + 1 };
    },
    ({ sum, count }) => (count === 0 ? null : new Double(sum / count)),
  ),
  $min: extreme(-1),
  $max: extreme(1),
  $first: ofValues<unknown[]>(
    () => [],
    (seen, value) => (seen.length === 0 ? [value] : seen),
    ([value]) => value ?? null,
  ),
  $last: ofValues<unknown>(
    () => null,
    (_last, value) => value,
    (value) => value ?? null,
  ),
  $push: ofValues<unknown[]>(
    () => [],
    (list, value) => {
      if (value !== undefined) list.push(value);
      return list;
    },
    (list) => list,
  ),
  $addToSet: ofValues<Map<string, unknown>>(
    () => new Map(),
    (set, value) => {
      if (value === undefined) return set;
      const name = nameOf(value);
      return set.has(name) ? set : set.set(name, value);
    },
    (set) => [...set.values()],
  ),
  $mergeObjects: ofValues<Document>(
    () => ({}),
    (merged, value) => {
      if (value === null || value === undefined) return merged;
      if (!isDocument(value)) throw failure(40400, "$mergeObjects requires object inputs");
      for (const name of Object.keys(value)) setField(merged, name, value[name]);
      return merged;
    },
    (merged) => merged,
  ),
  $count: (argument) => {
    if (!isDocument(argument) || Object.keys(argument).length > 0)
      throw failure(14, "$count takes no arguments, i.e. $count:{}");
    return () => {
      let count = 0;
      return {
        take: () => void count++,
        result: () => count,
      };
    };
  },
};

const refused = new Set([
  "$accumulator",
  "$bottom",
  "$bottomN",
  "$firstN",
  "$lastN",
  "$maxN",
  "$median",
  "$minN",
  "$percentile",
  "$stdDevPop",
  "$stdDevSamp",
  "$top",
  "$topN",
  "$covariancePop",
  "$covarianceSamp",
  "$derivative",
  "$expMovingAvg",
  "$integral",
  "$linearFill",
  "$locf",
]);

/** @throws {MongoError} when there is no such accumulator. */
export function accumulatorOf(operator: string, argument: unknown, variables?: Document): () => Accumulator {
  const compile = Object.hasOwn(compilers, operator) ? compilers[operator] : undefined;
  if (compile) return compile(argument, variables);
  if (refused.has(operator)) throw notSupported(`The accumulator ${operator}`);
  throw failure(15952, `unknown group operator '${operator}'`);
}
