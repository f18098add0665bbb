import { ObjectId } from "bson";
import { failure } from "../errors.ts";
import { isNumber, typeName } from "../values.ts";
import { exactDouble } from "./arithmetic-operators.ts";
import { isTrue } from "./match.ts";
import { type Operators, of } from "./operator.ts";

export const conversions: Operators = {
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
