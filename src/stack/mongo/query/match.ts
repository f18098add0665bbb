import { BSONRegExp } from "bson";
import { badValue, failure, notSupported } from "../errors.ts";
import { partsOf, visit } from "../paths.ts";
import { type Document, isDocument } from "../values.ts";
import { type Predicate, predicateOf } from "./predicates.ts";

export type Matcher = (document: Document) => boolean;

/** What a filter may refer to beyond the document. */
export interface MatchContext {
  /** Evaluates `$expr`. */
  expression?: (expression: unknown) => (document: Document) => unknown;
  /** Compiles `$jsonSchema`. */
  schema?: (schema: unknown) => Matcher;
  /** Answers `$text`, where the command can use a text index. */
  text?: Matcher;
}

/** True for `{ $gt: 1 }`, false for a value to compare with. */
export function isOperators(value: unknown): value is Document {
  if (!isDocument(value)) return false;
  const [first] = Object.keys(value);
  return first?.startsWith("$") === true && first !== "$ref" && first !== "$id" && first !== "$db";
}

/**
 * Compiles a query filter.
 *
 * @throws {MongoError} for every operator and option that is not known: none is passed over.
 */
export function matcherOf(filter: unknown, context: MatchContext = {}): Matcher {
  if (!isDocument(filter)) throw failure(14, "Expected the filter to be an object");
  const tests = Object.keys(filter).map((name) => clause(name, filter[name], context));
  if (tests.length === 0) return () => true;
  if (tests.length === 1) return tests[0] as Matcher;
  return (document) => tests.every((test) => test(document));
}

function clause(name: string, value: unknown, context: MatchContext): Matcher {
  if (!name.startsWith("$")) return fieldMatcher(name, value, context);
  switch (name) {
    case "$and":
    case "$or":
    case "$nor":
      return logical(name, value, context);
    case "$comment":
      return () => true;
    case "$expr": {
      if (!context.expression) throw notSupported("$expr here");
      const evaluate = context.expression(value);
      return (document) => isTrue(evaluate(document));
    }
    case "$jsonSchema": {
      if (!context.schema) throw notSupported("$jsonSchema here");
      return context.schema(value);
    }
    case "$text":
      if (!context.text) throw failure(27, "text index required for $text query");
      return context.text;
    case "$where":
    case "$sampleRate":
    case "$alwaysTrue":
    case "$alwaysFalse":
      throw notSupported(`The query operator ${name}`);
    default:
      throw badValue(`unknown top level operator: ${name}`);
  }
}

function logical(name: string, value: unknown, context: MatchContext): Matcher {
  if (!Array.isArray(value)) throw badValue(`${name} must be an array`);
  if (value.length === 0) throw badValue("$and/$or/$nor must be a nonempty array");
  const matchers = value.map((each) => {
    if (!isDocument(each)) throw badValue("$or/$and/$nor entries need to be full objects");
    return matcherOf(each, context);
  });
  if (name === "$and") return (document) => matchers.every((matches) => matches(document));
  if (name === "$or") return (document) => matchers.some((matches) => matches(document));
  return (document) => !matchers.some((matches) => matches(document));
}

function fieldMatcher(path: string, condition: unknown, context: MatchContext): Matcher {
  const parts = partsOf(path);
  if (!isOperators(condition)) return at(parts, predicateOf("$eq", condition, {}, context));
  const tests: Matcher[] = [];
  for (const operator of Object.keys(condition)) {
    if (operator === "$options" && "$regex" in condition) continue;
    tests.push(operatorMatcher(parts, operator, condition[operator], condition, context));
  }
  return tests.length === 1 ? (tests[0] as Matcher) : (document) => tests.every((test) => test(document));
}

function operatorMatcher(
  parts: string[],
  operator: string,
  argument: unknown,
  siblings: Document,
  context: MatchContext,
): Matcher {
  const path = parts.join(".");
  switch (operator) {
    case "$ne": {
      if (argument instanceof RegExp || argument instanceof BSONRegExp)
        throw badValue("Can't have regex as arg to $ne.");
      return not(at(parts, predicateOf("$eq", argument, {}, context)));
    }
    case "$exists": {
      const exists = at(parts, predicateOf("$exists", true, {}, context));
      return isTrue(argument) ? exists : not(exists);
    }
    case "$nin":
      return not(at(parts, predicateOf("$in", argument, {}, context)));
    case "$not": {
      if (argument instanceof RegExp || argument instanceof BSONRegExp) {
        return not(at(parts, predicateOf("$regex", argument, {}, context)));
      }
      if (!isOperators(argument)) throw badValue("$not needs a regex or a document of operators");
      return not(fieldMatcher(path, argument, context));
    }
    case "$all": {
      if (!Array.isArray(argument)) throw badValue("$all needs an array");
      if (argument.length === 0) return () => false;
      const each = argument.map((one) => {
        if (isOperators(one)) {
          if (Object.keys(one)[0] !== "$elemMatch") throw badValue("no $ expressions in $all");
          return fieldMatcher(path, one, context);
        }
        return at(parts, predicateOf("$eq", one, {}, context));
      });
      return (document) => each.every((test) => test(document));
    }
    default:
      return at(parts, predicateOf(operator, argument, siblings, context));
  }
}

const not =
  (matches: Matcher): Matcher =>
  (document) =>
    !matches(document);

const at =
  (parts: string[], predicate: Predicate): Matcher =>
  (document) =>
    visit(document, parts, predicate);

/** Everything but false, null, 0 and what is not there. */
export function isTrue(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  return Number(value as number) !== 0;
}
