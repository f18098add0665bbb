import { Decimal128, Long, ObjectId } from "bson";
import { badValue, failure, notSupported } from "../errors.ts";
import { compare, equal, nameOf } from "../keys.ts";
import { add } from "../numbers.ts";
import { type Document, isDocument, isNumber, type Number_, toNumber, typeName } from "../values.ts";
import { isTrue } from "./match.ts";

/** Computes an argument: the document, the expression, and what mingo hands on. */
type Evaluate = (document: never, expression: never, options: never) => unknown;
type Operator = (document: unknown, expression: unknown, options: unknown) => unknown;

/** Those that mingo computes as MongoDB does; tests compare them one by one. */
export const mingoOperators = [
  "$allElementsTrue",
  "$anyElementTrue",
  "$arrayElemAt",
  "$arrayToObject",
  "$concat",
  "$concatArrays",
  "$dateAdd",
  "$dateDiff",
  "$dateFromParts",
  "$dateFromString",
  "$dateSubtract",
  "$dateToParts",
  "$dateToString",
  "$dateTrunc",
  "$dayOfMonth",
  "$dayOfWeek",
  "$dayOfYear",
  "$filter",
  "$getField",
  "$hour",
  "$ifNull",
  "$isArray",
  "$isoDayOfWeek",
  "$isoWeek",
  "$isoWeekYear",
  "$let",
  "$ltrim",
  "$map",
  "$mergeObjects",
  "$millisecond",
  "$minute",
  "$month",
  "$objectToArray",
  "$range",
  "$reduce",
  "$regexFind",
  "$regexFindAll",
  "$regexMatch",
  "$replaceAll",
  "$replaceOne",
  "$reverseArray",
  "$rtrim",
  "$second",
  "$setField",
  "$size",
  "$slice",
  "$split",
  "$strLenBytes",
  "$strLenCP",
  "$strcasecmp",
  "$substrCP",
  "$toLower",
  "$toUpper",
  "$trim",
  "$unsetField",
  "$week",
  "$year",
  "$zip",
];

/** MongoDB's, but not this server's. */
export const refusedOperators = new Set([
  "$accumulator",
  "$acos",
  "$acosh",
  "$asin",
  "$asinh",
  "$atan",
  "$atan2",
  "$atanh",
  "$binarySize",
  "$bitAnd",
  "$bitNot",
  "$bitOr",
  "$bitXor",
  "$bottom",
  "$bottomN",
  "$bsonSize",
  "$convert",
  "$cos",
  "$cosh",
  "$degreesToRadians",
  "$firstN",
  "$function",
  "$indexOfBytes",
  "$indexOfCP",
  "$lastN",
  "$maxN",
  "$median",
  "$meta",
  "$minN",
  "$percentile",
  "$radiansToDegrees",
  "$rand",
  "$sampleRate",
  "$sin",
  "$sinh",
  "$sortArray",
  "$stdDevPop",
  "$stdDevSamp",
  "$substr",
  "$substrBytes",
  "$tan",
  "$tanh",
  "$toDecimal",
  "$toHashedIndexKey",
  "$toLong",
  "$toUUID",
  "$top",
  "$topN",
  "$tsIncrement",
  "$tsSecond",
]);

/** Those that have to know MongoDB's types and order. */
export function ownOperators(evaluate: Evaluate): Record<`$${string}`, never> {
  const valueAt = (document: unknown, expression: unknown, options: unknown) =>
    evaluate(document as never, expression as never, options as never);

  /** An operator of a list of arguments; a single one may stand without the list. */
  const of =
    (name: string, least: number, most: number, compute: (...values: unknown[]) => unknown): Operator =>
    (document, expression, options) => {
      const list = Array.isArray(expression) ? expression : [expression];
      if (list.length < least || list.length > most) {
        throw failure(
          16020,
          `Expression ${name} takes ${least === most ? `exactly ${least}` : `${least} to ${most}`} arguments. ${list.length} were passed in.`,
        );
      }
      return compute(...list.map((one) => valueAt(document, one, options)));
    };
  const many = Number.POSITIVE_INFINITY;

  const lazily =
    (compute: (each: (expression: unknown) => unknown, expression: unknown) => unknown): Operator =>
    (document, expression, options) =>
      compute((one) => valueAt(document, one, options), expression);

  const operators: Record<string, Operator> = {
    $eq: of("$eq", 2, 2, (a, b) => equalValues(a, b)),
    $ne: of("$ne", 2, 2, (a, b) => !equalValues(a, b)),
    $gt: of("$gt", 2, 2, (a, b) => compare(a, b) > 0),
    $gte: of("$gte", 2, 2, (a, b) => compare(a, b) >= 0),
    $lt: of("$lt", 2, 2, (a, b) => compare(a, b) < 0),
    $lte: of("$lte", 2, 2, (a, b) => compare(a, b) <= 0),
    $cmp: of("$cmp", 2, 2, (a, b) => Math.sign(compare(a, b))),
    $and: lazily((each, list) => listOf(list).every((one) => isTrue(each(one)))),
    $or: lazily((each, list) => listOf(list).some((one) => isTrue(each(one)))),
    $not: of("$not", 1, 1, (value) => !isTrue(value)),
    $cond: lazily((each, given) => {
      const [condition, yes, no] = Array.isArray(given)
        ? given
        : isDocument(given)
          ? [given["if"], given["then"], given["else"]]
          : [];
      if (yes === undefined || no === undefined) throw failure(17080, "Missing a parameter to $cond");
      return each(isTrue(each(condition)) ? yes : no);
    }),
    $switch: lazily((each, given) => {
      const branches: unknown = isDocument(given) ? given["branches"] : undefined;
      if (!isDocument(given) || !Array.isArray(branches) || branches.length === 0) {
        throw failure(40068, "$switch requires at least one branch");
      }
      for (const branch of branches as Document[])
        if (isTrue(each(branch["case"]))) return each(branch["then"]);
      if (!Object.hasOwn(given, "default"))
        throw failure(
          40066,
          "$switch could not find a matching branch for an input, and no default was specified.",
        );
      return each(given["default"]);
    }),
    $in: of("$in", 2, 2, (value, list) => {
      if (!Array.isArray(list))
        throw failure(40081, `$in requires an array as a second argument, found: ${typeName(list)}`);
      return list.some((one) => equalValues(one, value));
    }),
    $indexOfArray: of("$indexOfArray", 2, 4, (list, value, from = 0, to) => {
      if (list === null || list === undefined) return null;
      if (!Array.isArray(list)) throw failure(40090, "$indexOfArray requires an array as a first argument");
      const end = to === undefined ? list.length : (to as number);
      return list.findIndex((one, i) => i >= (from as number) && i < end && equalValues(one, value));
    }),
    $setUnion: of("$setUnion", 0, many, (...lists) => ofLists(lists, (sets) => distinct(sets.flat()))),
    $setIntersection: of("$setIntersection", 0, many, (...lists) =>
      ofLists(lists, ([first = [], ...others]) => {
        const names = others.map((other) => new Set(other.map(nameOf)));
        return distinct(first).filter((one) => names.every((set) => set.has(nameOf(one))));
      }),
    ),
    $setDifference: of("$setDifference", 2, 2, (...lists) =>
      ofLists(lists, ([a = [], b = []]) => {
        const names = new Set(b.map(nameOf));
        return distinct(a).filter((one) => !names.has(nameOf(one)));
      }),
    ),
    $setEquals: of("$setEquals", 2, many, (...lists) => {
      const [first, ...others] = sets(lists, "$setEquals").map((list) => new Set(list.map(nameOf)));
      return others.every(
        (other) => other.size === first?.size && [...other].every((name) => first.has(name)),
      );
    }),
    $setIsSubset: of("$setIsSubset", 2, 2, (...lists) => {
      const [a = [], b = []] = sets(lists, "$setIsSubset");
      const names = new Set(b.map(nameOf));
      return a.every((one) => names.has(nameOf(one)));
    }),
    $first: of("$first", 1, 1, (list) => endOf("$first", list, 0)),
    $last: of("$last", 1, 1, (list) => endOf("$last", list, -1)),
    $isNumber: of("$isNumber", 1, 1, isNumber),
    $add: of("$add", 0, many, (...values) => sumWithDate(values)),
    $subtract: of("$subtract", 2, 2, subtract),
    $multiply: numeric("$multiply", 0, many, (...values) => values.reduce((a, b) => a * b, 1)),
    $divide: numeric("$divide", 2, 2, (a = 0, b = 0) => {
      if (b === 0) throw badValue("can't $divide by zero");
      return a / b;
    }),
    $mod: numeric("$mod", 2, 2, (a = 0, b = 0) => {
      if (b === 0) throw failure(16610, "can't $mod by zero");
      return a % b;
    }),
    $abs: numeric("$abs", 1, 1, (value = 0) => Math.abs(value)),
    $ceil: numeric("$ceil", 1, 1, (value = 0) => Math.ceil(value)),
    $floor: numeric("$floor", 1, 1, (value = 0) => Math.floor(value)),
    $sqrt: numeric("$sqrt", 1, 1, (value = 0) => {
      if (value < 0) throw failure(28714, "$sqrt's argument must be greater than or equal to 0");
      return Math.sqrt(value);
    }),
    $pow: numeric("$pow", 2, 2, (base = 0, exponent = 0) => {
      if (base === 0 && exponent < 0)
        throw failure(28764, "$pow cannot take a base of 0 and a negative exponent");
      return base ** exponent;
    }),
    $exp: numeric("$exp", 1, 1, (value = 0) => Math.exp(value)),
    $ln: numeric("$ln", 1, 1, (value = 0) => logarithm(value, "$ln")),
    $log: numeric("$log", 2, 2, (value = 0, base = 0) => logarithm(value, "$log") / logarithm(base, "$log")),
    $log10: numeric("$log10", 1, 1, (value = 0) =>
      value > 0 ? Math.log10(value) : logarithm(value, "$log10"),
    ),
    $trunc: numeric("$trunc", 1, 2, (value = 0, place = 0) => toPlace(value, place, Math.trunc)),
    $round: numeric("$round", 1, 2, (value = 0, place = 0) => toPlace(value, place, halfToEven)),
    $sum: overList((numbers) => numbers.reduce<Number_>(add, 0)),
    $avg: overList((numbers) => {
      if (numbers.length === 0) return null;
      return numbers.reduce<number>((sum, value) => sum + exactDouble(value, "$avg"), 0) / numbers.length;
    }),
    $min: overValues((values) => values.reduce((a, b) => (compare(b, a) < 0 ? b : a))),
    $max: overValues((values) => values.reduce((a, b) => (compare(b, a) > 0 ? b : a))),
    $toString: of("$toString", 1, 1, toText),
    $toInt: of("$toInt", 1, 1, (value) => toInt(value)),
    $toDouble: of("$toDouble", 1, 1, (value) => toDouble(value)),
    $toBool: of("$toBool", 1, 1, (value) =>
      value === null || value === undefined
        ? null
        : typeof value === "object" || typeof value === "string" || isTrue(value),
    ),
    $toDate: of("$toDate", 1, 1, toDate),
    $toObjectId: of("$toObjectId", 1, 1, (value) => {
      if (value === null || value === undefined || value instanceof ObjectId) return value ?? null;
      if (typeof value === "string" && /^[\da-f]{24}$/i.test(value)) return new ObjectId(value);
      throw failure(241, `Failed to parse objectId '${String(value)}' in $convert with no onError value`);
    }),
  };

  function numeric(
    name: string,
    least: number,
    most: number,
    compute: (...values: number[]) => number,
  ): Operator {
    return of(name, least, most, (...values) => {
      if (values.some((value) => value === null || value === undefined)) return null;
      const numbers = values.map((value) => exactDouble(value, name));
      return exactResult(name, numbers, compute(...numbers));
    });
  }

  /** Of one argument that is a list, its elements; of several, themselves. */
  function elementsOf(document: unknown, expression: unknown, options: unknown): unknown[] {
    if (Array.isArray(expression) && expression.length !== 1) {
      return expression.map((one) => valueAt(document, one, options));
    }
    const value = valueAt(document, Array.isArray(expression) ? expression[0] : expression, options);
    return Array.isArray(value) ? value : [value];
  }

  function overList(compute: (numbers: Number_[]) => unknown): Operator {
    return (document, expression, options) =>
      compute(elementsOf(document, expression, options).filter(isNumber));
  }

  function overValues(compute: (values: unknown[]) => unknown): Operator {
    return (document, expression, options) => {
      const values = elementsOf(document, expression, options).filter(
        (one) => one !== null && one !== undefined,
      );
      return values.length === 0 ? null : compute(values);
    };
  }

  return operators as never;
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

const equalValues = (a: unknown, b: unknown) => equal(a, b);

const distinct = (values: unknown[]) =>
  [...new Map(values.map((value) => [nameOf(value), value])).values()].sort(compare);

function sets(lists: unknown[], name: string): unknown[][] {
  return lists.map((list) => {
    if (!Array.isArray(list))
      throw failure(
        17044,
        `All operands of ${name} must be arrays. One argument is of type: ${typeName(list)}`,
      );
    return list;
  });
}

function ofLists(lists: unknown[], compute: (lists: unknown[][]) => unknown): unknown {
  if (lists.some((list) => list === null || list === undefined)) return null;
  return compute(sets(lists, "a set operator"));
}

function endOf(name: string, list: unknown, index: number): unknown {
  if (list === null || list === undefined) return null;
  if (!Array.isArray(list))
    throw failure(28689, `${name}'s argument must be an array, but is ${typeName(list)}`);
  return list.at(index);
}

/** A number that JavaScript computes with as MongoDB would. */
function exactDouble(value: unknown, name: string): number {
  if (!isNumber(value)) throw failure(14, `${name} only supports numeric types, not ${typeName(value)}`);
  if (value instanceof Decimal128 || value instanceof Long) {
    throw notSupported(`${name} with a decimal, or a long beyond 2^53,`);
  }
  return toNumber(value);
}

/** Whole numbers whose result JavaScript rounds, and MongoDB does not, are refused. */
function exactResult(name: string, numbers: number[], result: number): number {
  if (numbers.every(Number.isSafeInteger) && Number.isInteger(result) && !Number.isSafeInteger(result)) {
    throw notSupported(`${name} beyond 2^53`);
  }
  return result;
}

function sumWithDate(values: unknown[]): unknown {
  if (values.some((value) => value === null || value === undefined)) return null;
  const dates = values.filter((value) => value instanceof Date);
  if (dates.length > 1) throw failure(16612, "only one date allowed in an $add expression");
  const numbers = values
    .filter((value) => !(value instanceof Date))
    .map((value) => exactDouble(value, "$add"));
  const sum = exactResult(
    "$add",
    numbers,
    numbers.reduce((a, b) => a + b, 0),
  );
  return dates[0] ? new Date(dates[0].getTime() + Math.round(sum)) : sum;
}

function subtract(a: unknown, b: unknown): unknown {
  if (a === null || a === undefined || b === null || b === undefined) return null;
  if (a instanceof Date) {
    return b instanceof Date
      ? a.getTime() - b.getTime()
      : new Date(a.getTime() - Math.round(exactDouble(b, "$subtract")));
  }
  const numbers = [exactDouble(a, "$subtract"), exactDouble(b, "$subtract")] as const;
  return exactResult("$subtract", [...numbers], numbers[0] - numbers[1]);
}

function logarithm(value: number, name: string): number {
  if (value <= 0) throw failure(28766, `${name}'s argument must be a positive number`);
  return Math.log(value);
}

function toPlace(value: number, place: number, toWhole: (value: number) => number): number {
  if (!Number.isInteger(place) || place < -20 || place > 100) {
    throw failure(51083, "cannot apply $round or $trunc with that precision");
  }
  if (!Number.isFinite(value)) return value;
  // By the decimal digits: 2.675 has three of them, though its double is a little less.
  const shift = (number: number, by: number) => {
    const [digits = "0", exponent = "0"] = String(number).split("e");
    return Number(`${digits}e${Number(exponent) + by}`);
  };
  return shift(toWhole(shift(value, place)), -place);
}

function halfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function toText(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || value instanceof ObjectId) return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (isNumber(value)) return value.toString();
  throw failure(
    241,
    `Unsupported conversion from ${typeName(value)} to string in $convert with no onError value`,
  );
}

function toInt(value: unknown): unknown {
  const number = toDouble(value);
  if (number === null) return null;
  if (typeof value === "string" && !/^[-+]?\d+$/.test(value))
    throw failure(241, `Failed to parse number '${value}' in $convert with no onError value`);
  const whole = Math.trunc(number);
  if (!Number.isFinite(number) || Math.abs(whole) > 2 ** 31 - 1)
    throw failure(241, "Conversion would overflow target type in $convert with no onError value");
  return whole;
}

function toDouble(value: unknown): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  if (typeof value === "string") {
    if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value))
      throw failure(241, `Failed to parse number '${value}' in $convert with no onError value`);
    return Number(value);
  }
  return exactDouble(value, "$convert");
}

function toDate(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value;
  if (value instanceof ObjectId) return value.getTimestamp();
  if (typeof value === "string") {
    const iso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[-+]\d\d:?\d\d)?)?$/.exec(value);
    const date = new Date(iso && value.includes("T") && !iso[4] ? `${value}Z` : value);
    if (!iso || Number.isNaN(date.getTime())) throw failure(241, `Error parsing date string '${value}'`);
    return date;
  }
  if (isNumber(value)) return new Date(Math.trunc(exactDouble(value, "$toDate")));
  throw failure(
    241,
    `Unsupported conversion from ${typeName(value)} to date in $convert with no onError value`,
  );
}
