import { Decimal128, Double, Int32 } from "bson";
import type { Number_ } from "./values.ts";

const double = Buffer.alloc(8);

/**
 * Bytes that compare as numbers of any type do, exactly: the nearest double, then how far the number is from it.
 * A double and a decimal of the same digits are different numbers, as they are to MongoDB.
 */
export function numberKey(value: Number_): Uint8Array {
  if (typeof value === "number") return exactly(value);
  if (value instanceof Int32 || value instanceof Double) return exactly(value.value);
  if (!(value instanceof Decimal128)) {
    const nearest = value.toNumber();
    if (Number.isSafeInteger(nearest)) return exactly(nearest);
    return between(nearest, { digits: value.toBigInt(), exponent: 0 });
  }
  const text = value.toString();
  const nearest = Number(text);
  if (Number.isNaN(nearest) || /inf/i.test(text)) return exactly(nearest);
  const [, sign, whole = "", part = "", exponent = "0"] =
    /^(-?)(\d+)\.?(\d*)(?:E([+-]?\d+))?$/i.exec(text) ?? [];
  const exact = { digits: BigInt(`${sign}${whole}${part}`), exponent: Number(exponent) - part.length };
  const finite = Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, nearest));
  return between(finite, exact);
}

/** `digits × 10^exponent` */
interface Decimal {
  digits: bigint;
  exponent: number;
}

const EXACT = 0x80;

function exactly(value: number): Uint8Array {
  const key = Buffer.allocUnsafe(9);
  writeDouble(value, key);
  key[8] = EXACT;
  return key;
}

function writeDouble(value: number, key: Buffer): void {
  if (Number.isNaN(value)) {
    key.fill(0, 0, 8); // below every other number
    return;
  }
  key.writeDoubleBE(value === 0 ? 0 : value, 0); // -0 is 0
  if ((key[0] ?? 0) & 0x80) for (let i = 0; i < 8; i++) key[i] = ~(key[i] ?? 0);
  else key[0] = (key[0] ?? 0) | 0x80;
}

function between(nearest: number, exact: Decimal): Uint8Array {
  const { digits, exponent } = minus(exact, decimalOf(nearest));
  if (digits === 0n) return exactly(nearest);
  const text = String(digits < 0n ? -digits : digits).replace(/0+$/, "");
  const magnitude = String(digits < 0n ? -digits : digits).length + exponent;
  const rest = Buffer.alloc(2 + text.length + 1);
  rest.writeUInt16BE(magnitude + 0x8000 - 1, 0);
  rest.write(text, 2, "latin1");
  if (digits < 0n) for (let i = 0; i < rest.length; i++) rest[i] = ~(rest[i] ?? 0);
  const key = exactly(nearest);
  key[8] = digits < 0n ? EXACT - 1 : EXACT + 1;
  return Buffer.concat([key, rest]);
}

/** A double's exact value: all of them have finitely many decimal digits. */
function decimalOf(value: number): Decimal {
  double.writeDoubleBE(value, 0);
  const bits = double.readBigUInt64BE(0);
  const power = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = power === 0 ? fraction : fraction | 0x10000000000000n;
  const shift = (power === 0 ? 1 : power) - 1075;
  const signed = value < 0 ? -mantissa : mantissa;
  return shift >= 0
    ? { digits: signed << BigInt(shift), exponent: 0 }
    : { digits: signed * 5n ** BigInt(-shift), exponent: shift };
}

function minus(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  const scaled = ({ digits, exponent: own }: Decimal) => digits * 10n ** BigInt(own - exponent);
  return { digits: scaled(a) - scaled(b), exponent };
}
