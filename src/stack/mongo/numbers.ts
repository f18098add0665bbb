// Arithmetic that keeps MongoDB's types: int and long stay whole and exact, decimal wins over all, else double.
import { Decimal128, Double, Int32, Long } from "bson";
import { badValue } from "./errors.ts";
import { type Number_, toNumber } from "./values.ts";

const INT = 2n ** 31n;
const LONG = 2n ** 63n;

export const add = (a: Number_, b: Number_): Number_ => combine(a, b, wholeSum, (x, y) => x + y, decimalSum);

export const multiply = (a: Number_, b: Number_): Number_ =>
  combine(
    a,
    b,
    (x, y) => x * y,
    (x, y) => x * y,
    decimalProduct,
  );

/** A whole number in the smallest of int and long that holds it, or else a double. */
export function whole(value: bigint, atLeastLong = false): Number_ {
  if (!atLeastLong && value >= -INT && value < INT) return new Int32(Number(value));
  if (value >= -LONG && value < LONG) return Long.fromBigInt(value);
  return new Double(Number(value));
}

/** The value of an int or a long; undefined of every other number. */
export function wholeValue(value: Number_): bigint | undefined {
  if (typeof value === "number")
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? BigInt(value) : undefined;
  if (value instanceof Int32) return BigInt(value.value);
  return value instanceof Long ? value.toBigInt() : undefined;
}

function combine(
  a: Number_,
  b: Number_,
  ofWholes: (a: bigint, b: bigint) => bigint,
  ofDoubles: (a: number, b: number) => number,
  ofDecimals: (a: Decimal, b: Decimal) => Decimal,
): Number_ {
  if (a instanceof Decimal128 || b instanceof Decimal128) {
    const [x, y] = [parse(a), parse(b)];
    if (!x || !y) return Decimal128.fromString(special(ofDoubles(toNumber(a), toNumber(b))));
    return format(ofDecimals(x, y));
  }
  const [x, y] = [wholeValue(a), wholeValue(b)];
  if (x === undefined || y === undefined) return new Double(ofDoubles(toNumber(a), toNumber(b)));
  const result = ofWholes(x, y);
  if (result < -LONG || result >= LONG) throw badValue("Failed to apply the operation: integer overflow");
  return whole(result, a instanceof Long || b instanceof Long);
}

const wholeSum = (a: bigint, b: bigint) => a + b;

interface Decimal {
  digits: bigint;
  exponent: number;
}

/** Undefined when the number is not finite. A double counts with its 15 digits, as in MongoDB. */
function parse(value: Number_): Decimal | undefined {
  const text =
    value instanceof Decimal128
      ? value.toString()
      : (wholeValue(value)?.toString() ?? String(Number(toNumber(value).toPrecision(15))));
  const [match, sign = "", before = "", after = "", exponent = "0"] =
    /^(-?)(\d+)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (match === undefined) return undefined;
  return { digits: BigInt(`${sign}${before}${after}`), exponent: Number(exponent) - after.length };
}

const special = (value: number) =>
  Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : value < 0 ? "-Infinity" : "0";

const format = ({ digits, exponent }: Decimal) => Decimal128.fromStringWithRounding(`${digits}E${exponent}`);

function decimalSum(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  const scaled = (one: Decimal) => one.digits * 10n ** BigInt(one.exponent - exponent);
  return { digits: scaled(a) + scaled(b), exponent };
}

const decimalProduct = (a: Decimal, b: Decimal): Decimal => ({
  digits: a.digits * b.digits,
  exponent: a.exponent + b.exponent,
});
