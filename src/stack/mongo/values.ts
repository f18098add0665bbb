import {
  Binary,
  BSON,
  BSONRegExp,
  BSONSymbol,
  Code,
  DBRef,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from "bson";
import { badValue, failure, MongoError, notSupported } from "./errors.ts";

export type { Document };

/** Bytes of the largest document. */
export const MAX_DOCUMENT = 16 * 1024 * 1024;
/** Levels of the deepest one. */
export const MAX_DEPTH = 180;

// Numbers keep their BSON types, and regular expressions MongoDB's own syntax, so that what an update does not touch
// stays as it was.
const exact = { promoteValues: false, promoteBuffers: false, bsonRegExp: true } as const;

/** @throws {MongoError} when the bytes are no BSON. */
export function decode(bytes: Uint8Array): Document {
  try {
    return BSON.deserialize(bytes, exact);
  } catch (error) {
    throw badValue(`Invalid BSON: ${(error as Error).message}`);
  }
}

/** @throws {MongoError} when the document is larger than MongoDB allows. */
export function encode(document: Document): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = BSON.serialize(document, { ignoreUndefined: true });
  } catch (error) {
    if (error instanceof MongoError) throw error;
    // The library refuses a document whose fields imitate its own types, and one that does not fit its buffer.
    if (error instanceof RangeError) throw tooLarge(BSON.calculateObjectSize(document));
    throw badValue(`The document cannot be stored: ${(error as Error).message}`);
  }
  if (bytes.length > MAX_DOCUMENT) throw tooLarge(bytes.length);
  return bytes;
}

const tooLarge = (size: number) =>
  failure(10334, `BSONObj size: ${size} is invalid. Size must be between 0 and ${MAX_DOCUMENT}(16MB)`);

export type Number_ = number | Int32 | Double | Long | Decimal128;

export const isNumber = (value: unknown): value is Number_ =>
  typeof value === "number" ||
  value instanceof Int32 ||
  value instanceof Double ||
  (value instanceof Long && !(value instanceof Timestamp)) ||
  value instanceof Decimal128;

/** A document, not one of BSON's own types. */
export function isDocument(value: unknown): value is Document {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A field of a document; undefined when it has none of its own by this name. */
export const field = (document: Document, name: string): unknown =>
  Object.hasOwn(document, name) ? document[name] : undefined;

/** Sets a field, whatever its name is. */
export function setField(document: Document, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(document, name, { value, enumerable: true, configurable: true, writable: true });
  } else document[name] = value;
}

/** A number as JavaScript's: beyond 2^53, and for decimals, the nearest one. */
export function toNumber(value: Number_): number {
  if (typeof value === "number") return value;
  if (value instanceof Int32 || value instanceof Double) return value.value;
  return value instanceof Long ? value.toNumber() : Number(value.toString());
}

/** A whole number given as an argument. */
export function toInteger(value: unknown, name: string): number {
  const number = isNumber(value) ? toNumber(value) : Number.NaN;
  if (!Number.isInteger(number)) throw badValue(`${name} must be a whole number`);
  return number;
}

/** MongoDB's name of a value's type, as `$type` and error messages have it. */
export function typeName(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return isInt32(value) ? "int" : "double";
  if (Array.isArray(value)) return "array";
  if (value instanceof Int32) return "int";
  if (value instanceof Double) return "double";
  if (value instanceof Timestamp) return "timestamp";
  if (value instanceof Long) return "long";
  if (value instanceof Decimal128) return "decimal";
  if (value instanceof ObjectId) return "objectId";
  if (value instanceof Date) return "date";
  if (value instanceof Binary) return "binData";
  if (value instanceof BSONRegExp || value instanceof RegExp) return "regex";
  if (value instanceof Code) return value.scope ? "javascriptWithScope" : "javascript";
  if (value instanceof MinKey) return "minKey";
  if (value instanceof MaxKey) return "maxKey";
  return value instanceof BSONSymbol ? "symbol" : "object";
}

const isInt32 = (value: number) => (value | 0) === value && !Object.is(value, -0);

/** A document that shares nothing with the original. */
export function clone<T>(value: T): T {
  if (Array.isArray(value)) return value.map(clone) as T;
  if (!isDocument(value)) return value;
  const copy: Document = {};
  for (const name of Object.keys(value)) setField(copy, name, clone(value[name]));
  return copy as T;
}

/** @throws {MongoError} when a value is nested deeper than MongoDB takes, or of a type that this server does not. */
export function requireSound(value: unknown, left = MAX_DEPTH): void {
  if (left < 0) throw failure(15, `Document exceeds the depth limit of ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) for (const each of value) requireSound(each, left - 1);
  else if (isDocument(value)) for (const name of Object.keys(value)) requireSound(value[name], left - 1);
  else if (value instanceof DBRef) throw notSupported("A DBRef ($ref, $id): keep the id alone. It");
}
