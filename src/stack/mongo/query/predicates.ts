import { Binary, BSONRegExp, BSONSymbol } from "bson";
import { badValue, failure, notSupported, typeMismatch } from "../errors.ts";
import { compare, equal, nameOf, Tag, tagOf } from "../keys.ts";
import { type Document, isDocument, isNumber, toInteger, toNumber, typeName } from "../values.ts";
import { isOperators, type MatchContext, matcherOf } from "./match.ts";
import { toRegExp } from "./regex.ts";

/** Is true of a value that a path leads to, or, where it is an array, of one of its elements. */
export type Predicate = (value: unknown) => boolean;

type Compile = (argument: unknown, siblings: Document, context: MatchContext) => Predicate;

const compilers: Record<string, Compile> = {
  $eq: (argument) =>
    argument instanceof BSONRegExp || argument instanceof RegExp ? regex(argument) : equalTo(argument),
  $in: (argument) => oneOf(argument),
  $gt: (argument) => ordered(argument, (order) => order > 0, false),
  $gte: (argument) => ordered(argument, (order) => order >= 0, true),
  $lt: (argument) => ordered(argument, (order) => order < 0, false),
  $lte: (argument) => ordered(argument, (order) => order <= 0, true),
  $exists: () => (value) => value !== undefined,
  $type: (argument) => ofType(argument),
  $mod: (argument) => modulo(argument),
  $regex: (argument, siblings) => regex(argument, siblings["$options"]),
  $size: (argument) => {
    const size = toInteger(argument, "$size");
    if (size < 0) throw badValue("$size may not be negative");
    return (value) => Array.isArray(value) && value.length === size;
  },
  $elemMatch: (argument, _siblings, context) => someElement(argument, context),
  $bitsAllSet: (argument) => bits(argument, (value, mask) => (value & mask) === mask),
  $bitsAnySet: (argument) => bits(argument, (value, mask) => (value & mask) !== 0n),
  $bitsAllClear: (argument) => bits(argument, (value, mask) => (value & mask) === 0n),
  $bitsAnyClear: (argument) => bits(argument, (value, mask) => (value & mask) !== mask),
};

/** @throws {MongoError} when the operator is not known. */
export function predicateOf(
  operator: string,
  argument: unknown,
  siblings: Document,
  context: MatchContext,
): Predicate {
  const compile = Object.hasOwn(compilers, operator) ? compilers[operator] : undefined;
  if (compile) return compile(argument, siblings, context);
  if (
    /^\$(near|nearSphere|geoWithin|geoIntersects|within|box|center|polygon|maxDistance|minDistance)/.test(
      operator,
    )
  ) {
    throw notSupported(`The query operator ${operator}`);
  }
  if (operator === "$options") throw badValue("$options needs a $regex");
  throw badValue(`unknown operator: ${operator}`);
}

const elements = (value: unknown, test: Predicate): boolean =>
  test(value) || (Array.isArray(value) && value.some(test));

function equalTo(wanted: unknown): Predicate {
  if (wanted === undefined) throw badValue("cannot compare to undefined");
  if (wanted === null) return (value) => elements(value, (one) => one === null || one === undefined);
  return (value) => elements(value, (one) => one !== undefined && equal(one, wanted));
}

function oneOf(argument: unknown): Predicate {
  if (!Array.isArray(argument)) throw badValue("$in needs an array");
  const names = new Set<string>();
  const patterns: Predicate[] = [];
  for (const one of argument) {
    if (one instanceof BSONRegExp || one instanceof RegExp) patterns.push(regex(one));
    else if (isOperators(one)) throw badValue("cannot nest $ under $in");
    else names.add(nameOf(one));
  }
  return (value) =>
    elements(value, (one) => names.has(nameOf(one ?? null))) || patterns.some((test) => test(value));
}

/** Only values of the argument's own type compare with it; all do with MinKey and MaxKey. */
function ordered(argument: unknown, test: (order: number) => boolean, orEqual: boolean): Predicate {
  if (argument instanceof BSONRegExp || argument instanceof RegExp) {
    throw badValue("Can't have RegEx as arg to predicate over field");
  }
  if (argument === null || argument === undefined) {
    return orEqual ? equalTo(null) : () => false;
  }
  const tag = tagOf(argument);
  if (tag === Tag.minKey || tag === Tag.maxKey) {
    return (value) => elements(value, (one) => test(compare(one ?? null, argument)));
  }
  if (isNumber(argument) && Number.isNaN(toNumber(argument)))
    return orEqual ? equalTo(argument) : () => false;
  return (value) =>
    elements(value, (one) => {
      if (one === undefined || one === null || tagOf(one) !== tag) return false;
      if (tag === Tag.number && Number.isNaN(toNumber(one as number))) return false;
      return test(compare(one, argument));
    });
}

function regex(argument: unknown, options?: unknown): Predicate {
  if (options !== undefined && typeof options !== "string") throw badValue("$options has to be a string");
  if (typeof argument !== "string" && !(argument instanceof BSONRegExp) && !(argument instanceof RegExp)) {
    throw badValue("$regex has to be a string");
  }
  if (options && typeof argument !== "string" && toOptions(argument)) {
    throw failure(51075, "options set in both $regex and $options");
  }
  const pattern = toRegExp(argument, options);
  const name = typeof argument === "string" ? undefined : nameOf(argument);
  return (value) =>
    elements(value, (one) => {
      if (typeof one === "string") return pattern.test(one);
      if (one instanceof BSONSymbol) return pattern.test(one.value);
      return name !== undefined && one instanceof BSONRegExp && nameOf(one) === name;
    });
}

const toOptions = (value: BSONRegExp | RegExp) => (value instanceof RegExp ? value.flags : value.options);

const TYPES: Record<number, string> = {
  [-1]: "minKey",
  1: "double",
  2: "string",
  3: "object",
  4: "array",
  5: "binData",
  7: "objectId",
  8: "bool",
  9: "date",
  10: "null",
  11: "regex",
  13: "javascript",
  14: "symbol",
  15: "javascriptWithScope",
  16: "int",
  17: "timestamp",
  18: "long",
  19: "decimal",
  127: "maxKey",
};

const NUMBERS = ["int", "long", "double", "decimal"];

/** The type names that a `$type` or a `bsonType` stands for. */
export function typesOf(argument: unknown): Set<string> {
  const names = new Set<string>();
  const given = Array.isArray(argument) ? argument : [argument];
  if (given.length === 0) throw failedType("at least one type");
  for (const one of given) {
    const name = isNumber(one) ? TYPES[toNumber(one)] : one;
    if (name === "number") for (const number of NUMBERS) names.add(number);
    else if (typeof name === "string" && Object.values(TYPES).includes(name)) names.add(name);
    else throw failedType(`a known type, not ${isNumber(one) ? toNumber(one) : JSON.stringify(one)}`);
  }
  return names;
}

const failedType = (wanted: string) => badValue(`$type and bsonType need ${wanted}`);

function ofType(argument: unknown): Predicate {
  const names = typesOf(argument);
  return (value) => elements(value, (one) => one !== undefined && names.has(typeName(one)));
}

function modulo(argument: unknown): Predicate {
  if (!Array.isArray(argument) || argument.length !== 2) throw badValue("malformed mod, needs two elements");
  const [divisor, remainder] = argument.map((one) => {
    if (!isNumber(one) || !Number.isFinite(toNumber(one))) throw badValue("malformed mod, needs numbers");
    return BigInt(Math.trunc(toNumber(one)));
  }) as [bigint, bigint];
  if (divisor === 0n) throw badValue("divisor cannot be 0");
  return (value) =>
    elements(value, (one) => {
      if (!isNumber(one) || !Number.isFinite(toNumber(one))) return false;
      return wholeOf(one) % divisor === remainder;
    });
}

/** The whole part of a finite number, exactly. */
function wholeOf(value: unknown): bigint {
  const number = value as { toBigInt?: () => bigint };
  return number.toBigInt ? number.toBigInt() : BigInt(Math.trunc(toNumber(value as number)));
}

function someElement(argument: unknown, context: MatchContext): Predicate {
  if (!isDocument(argument)) throw badValue("$elemMatch needs an Object");
  const [first] = Object.keys(argument);
  const ofValues =
    isOperators(argument) && first !== "$and" && first !== "$or" && first !== "$nor" && first !== "$expr";
  if (!ofValues) {
    const matches = matcherOf(argument, context);
    // To a query, an array is a document too: its fields are its indexes.
    return (value) =>
      Array.isArray(value) &&
      value.some((one) => (isDocument(one) ? matches(one) : Array.isArray(one) && matches({ ...one })));
  }
  const matches = matcherOf({ value: argument }, context);
  return (value) => Array.isArray(value) && value.some((one) => matches({ value: one }));
}

function bits(argument: unknown, test: (value: bigint, mask: bigint) => boolean): Predicate {
  const mask = maskOf(argument);
  return (value) =>
    elements(value, (one) => {
      if (one instanceof Binary) throw notSupported("A $bits operator on binary data");
      if (!isNumber(one) || !Number.isInteger(toNumber(one)) || Math.abs(toNumber(one)) > 2 ** 63)
        return false;
      return test(BigInt.asUintN(64, wholeOf(one)) | sign(wholeOf(one)), mask);
    });
}

/** Bits beyond the 64th are the sign's. */
const sign = (value: bigint) => (value < 0n ? ((1n << 1000n) - 1n) << 64n : 0n);

function maskOf(argument: unknown): bigint {
  if (Array.isArray(argument)) {
    return argument.reduce<bigint>((mask, one) => {
      const position = toInteger(one, "A bit position");
      if (position < 0 || position > 1000) throw badValue("bit positions must be between 0 and 1000");
      return mask | (1n << BigInt(position));
    }, 0n);
  }
  if (argument instanceof Binary) throw notSupported("A $bits operator with a binary mask");
  if (!isNumber(argument) || !Number.isInteger(toNumber(argument)))
    throw typeMismatch("A bit mask is a number or positions");
  const mask = wholeOf(argument);
  if (mask < 0n) throw badValue("A bit mask may not be negative");
  return mask;
}
