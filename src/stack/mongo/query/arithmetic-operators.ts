import { Decimal128, Long } from "bson";
import { badValue, failure, notSupported } from "../errors.ts";
import { compare } from "../keys.ts";
import { add } from "../numbers.ts";
import { isNumber, type Number_, toNumber, typeName } from "../values.ts";
import { isNothing, MANY, type Operator, type Operators, of } from "./operator.ts";

function numeric(
  name: string,
  least: number,
  most: number,
  compute: (...values: number[]) => number,
): Operator {
  return of(name, least, most, (...values) => {
    if (values.some(isNothing)) return null;
    const numbers = values.map((value) => exactDouble(value, name));
    return exactResult(name, numbers, compute(...numbers));
  });
}

/** Of one argument that is a list, its elements; of several, themselves. */
function elements(each: (expression: unknown) => unknown, argument: unknown): unknown[] {
  if (Array.isArray(argument) && argument.length !== 1) return argument.map(each);
  const value = each(Array.isArray(argument) ? argument[0] : argument);
  return Array.isArray(value) ? value : [value];
}

const overNumbers =
  (compute: (numbers: Number_[]) => unknown): Operator =>
  (each, argument) =>
    compute(elements(each, argument).filter(isNumber));

const overValues =
  (choose: (a: unknown, b: unknown) => unknown): Operator =>
  (each, argument) => {
    const values = elements(each, argument).filter((one) => !isNothing(one));
    return values.length === 0 ? null : values.reduce<unknown>(choose, values[0]);
  };

export const arithmetic: Operators = {
  $add: of("$add", 0, MANY, (...values) => sumWithDate(values)),
  $subtract: of("$subtract", 2, 2, subtract),
  $multiply: numeric("$multiply", 0, MANY, (...values) => values.reduce((a, b) => a * b, 1)),
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
  $sum: overNumbers((numbers) => numbers.reduce<Number_>(add, 0)),
  $avg: overNumbers((numbers) => {
    if (numbers.length === 0) return null;
    return numbers.reduce<number>((sum, value) => sum + exactDouble(value, "$avg"), 0) / numbers.length;
  }),
  $min: overValues((a, b) => (compare(b, a) < 0 ? b : a)),
  $max: overValues((a, b) => (compare(b, a) > 0 ? b : a)),
};

/** A number that JavaScript computes with as MongoDB would. */
export function exactDouble(value: unknown, name: string): number {
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
