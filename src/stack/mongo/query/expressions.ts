// Aggregation expressions. Paths, comparisons, sets, and whatever has to know MongoDB's types are our own; the rest is
// mingo's, on values that JavaScript has. What neither computes exactly is refused.
import { createRequire } from "node:module";
import { BSONRegExp, Double, Int32, Long, Timestamp } from "bson";
import { badValue, failure, MongoError, notSupported } from "../errors.ts";
import { partsOf } from "../paths.ts";
import { type Document, field, isDocument, setField, typeName } from "../values.ts";
import { mingoOperators, refusedOperators } from "./mingo-operators.ts";
import { type Operator, type Operators, of } from "./operator.ts";
import { ownOperators } from "./own-operators.ts";
import { toRegExp } from "./regex.ts";

/** Computes the value of an expression on a document; undefined where there is none. */
export type Evaluate = (document: Document) => unknown;

type MingoOperator = (document: unknown, expression: unknown, options: unknown) => unknown;

interface MingoCore {
  evalExpr: MingoOperator;
  Context: { init(operators: { expression: Record<string, MingoOperator> }): unknown };
}

/**
 * Compiles an expression.
 *
 * @param variables what `$$name` stands for
 * @throws {MongoError} for operators that are not known
 */
export function expressionOf(expression: unknown, variables: Document = {}): Evaluate {
  requireKnown(expression);
  return compile(expression, variables);
}

function compile(expression: unknown, variables: Document): Evaluate {
  if (typeof expression === "string" && expression.startsWith("$")) return reference(expression, variables);
  if (Array.isArray(expression)) {
    const each = expression.map((one) => compile(one, variables));
    return (document) => each.map((evaluate) => evaluate(document) ?? null);
  }
  if (!isDocument(expression)) return () => expression;
  const [operator] = Object.keys(expression);
  if (!operator?.startsWith("$")) {
    const fields = Object.keys(expression).map(
      (name) => [name, compile(expression[name], variables)] as const,
    );
    return (document) => {
      const result: Document = {};
      for (const [name, evaluate] of fields) {
        const value = evaluate(document);
        if (value !== undefined) setField(result, name, value);
      }
      return result;
    };
  }
  const argument: unknown = expression[operator];
  if (operator === "$literal") return () => argument;
  if (operator === "$type") {
    const evaluate = compile(single(argument), variables);
    return (document) => typeName(evaluate(document));
  }
  const own = ownOperators[operator as `$${string}`];
  return own ? byOwn(own, argument, variables) : byMingo(expression, variables);
}

function byOwn(operator: Operator, argument: unknown, variables: Document): Evaluate {
  const parts = new Map<unknown, Evaluate>();
  return (document) =>
    operator((part) => {
      let evaluate = parts.get(part);
      if (!evaluate) {
        evaluate = compile(part, variables);
        parts.set(part, evaluate);
      }
      return plain(evaluate(document));
    }, argument);
}

const single = (argument: unknown) =>
  Array.isArray(argument) && argument.length === 1 ? argument[0] : argument;

/** `$a.b`, `$$ROOT`, `$$name.path`: the value as it is, types included. */
function reference(expression: string, variables: Document): Evaluate {
  const own = expression.startsWith("$$");
  const [name = "", ...parts] = partsOf(expression.slice(own ? 2 : 1));
  if (!own) return (document) => follow(document, [name, ...parts]);
  switch (name) {
    case "ROOT":
    case "CURRENT":
      return (document) => follow(document, parts);
    case "REMOVE":
      return () => undefined;
    case "NOW": {
      const now = new Date();
      return () => now;
    }
    default: {
      if (!Object.hasOwn(variables, name)) throw failure(17276, `Use of undefined variable: ${name}`);
      return () => follow(variables[name], parts);
    }
  }
}

/** Through arrays, a path is the list of what it leads to in each of their documents. */
function follow(value: unknown, parts: string[]): unknown {
  const [name, ...rest] = parts;
  if (name === undefined) return value;
  if (isDocument(value)) return follow(field(value, name), rest);
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((each) => {
    if (!isDocument(each)) return [];
    const found = follow(each, parts);
    return found === undefined ? [] : [found];
  });
}

/** With JavaScript's numbers where they are exact. */
export function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Timestamp) return value;
  if (value instanceof Long) {
    const number = value.toNumber();
    return Number.isSafeInteger(number) ? number : value;
  }
  if (value instanceof BSONRegExp) return toRegExp(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!isDocument(value)) return value;
  const copy: Document = {};
  for (const name of Object.keys(value)) setField(copy, name, plain(value[name]));
  return copy;
}

type Compute = (document: unknown, expression: unknown, variables: unknown) => unknown;

let compute: Compute | undefined;

// Most servers never see such an expression, and mingo takes as long to load as all the rest.
function loadMingo(): Compute {
  const require = createRequire(import.meta.url);
  const { evalExpr, Context }: MingoCore = require("mingo/core");
  const all: Record<string, MingoOperator> = require("mingo/operators/expression");
  const expression: Record<string, MingoOperator> = {};
  for (const name of mingoOperators) expression[name] = all[name] as MingoOperator;
  for (const [name, operator] of Object.entries({ ...ownOperators, ...withinMingo })) {
    expression[name] = (document, argument, options) =>
      operator((part) => evalExpr(document, part, options), argument);
  }
  const context = Context.init({ expression });
  return (document, expression, variables) =>
    evalExpr(document, expression, { context, variables, scriptEnabled: false });
}

const withinMingo: Operators = {
  $literal: (_each, value) => value,
  $type: of("$type", 1, 1, (value) => {
    if (typeof value === "number") throw notSupported("$type of a number inside of this expression");
    return typeName(value);
  }),
};

function byMingo(expression: Document, variables: Document): Evaluate {
  const prepared = plain(expression);
  const known = plain(variables);
  return (document) => {
    compute ??= loadMingo();
    try {
      return compute(plain(document), prepared, known);
    } catch (error) {
      if (error instanceof MongoError) throw error;
      const { message } = error as Error;
      const [, name] = /undefined variable: (\S+)/.exec(message) ?? [];
      if (name) throw failure(17276, `Use of undefined variable: ${name}`);
      throw badValue(message);
    }
  };
}

/** @throws {MongoError} 168 for an operator that nobody knows, 238 for one that this server has not. */
function requireKnown(expression: unknown): void {
  if (Array.isArray(expression)) for (const each of expression) requireKnown(each);
  if (!isDocument(expression)) return;
  const names = Object.keys(expression);
  for (const name of names) {
    if (name.startsWith("$")) {
      if (names.length > 1)
        throw failure(15983, "An object representing an expression must have exactly one field");
      if (name === "$literal") return;
      if (refusedOperators.has(name)) throw notSupported(`The expression ${name}`);
      if (!knownOperators.has(name)) throw failure(168, `Unrecognized expression '${name}'`);
    }
    requireKnown(expression[name]);
  }
}

const knownOperators = new Set<string>([
  ...mingoOperators,
  ...Object.keys(ownOperators),
  ...Object.keys(withinMingo),
]);
