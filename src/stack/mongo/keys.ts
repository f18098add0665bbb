// Every value as bytes that compare as MongoDB compares the values. Equality, sorting, grouping and the indexes all
// rest on this one encoding. It is prefix-free, so that keys of several values are just written one after the other.
import { Binary, BSONRegExp, BSONSymbol, Code, MaxKey, MinKey, ObjectId, Timestamp } from "bson";
import { notSupported } from "./errors.ts";
import { numberKey } from "./number-keys.ts";
import { type Document, isDocument, isNumber, type Number_ } from "./values.ts";

/** First byte of a key: the order of the types. */
export const Tag = {
  minKey: 0x01,
  /** An empty array in an index or a sort. */
  undefined: 0x04,
  null: 0x05,
  number: 0x0a,
  string: 0x0f,
  object: 0x14,
  array: 0x19,
  binary: 0x1e,
  objectId: 0x23,
  boolean: 0x28,
  date: 0x2d,
  timestamp: 0x2f,
  regex: 0x32,
  code: 0x3c,
  maxKey: 0x7f,
} as const;

export function tagOf(value: unknown): number {
  if (value === undefined) return Tag.undefined;
  if (value === null) return Tag.null;
  if (typeof value === "string" || value instanceof BSONSymbol) return Tag.string;
  if (isNumber(value)) return Tag.number;
  if (typeof value === "boolean") return Tag.boolean;
  if (Array.isArray(value)) return Tag.array;
  if (isDocument(value)) return Tag.object;
  if (value instanceof ObjectId) return Tag.objectId;
  if (value instanceof Date) return Tag.date;
  if (value instanceof Binary) return Tag.binary;
  if (value instanceof Timestamp) return Tag.timestamp;
  if (value instanceof BSONRegExp || value instanceof RegExp) return Tag.regex;
  if (value instanceof MinKey) return Tag.minKey;
  if (value instanceof MaxKey) return Tag.maxKey;
  if (value instanceof Code && !value.scope) return Tag.code;
  throw notSupported("Comparing a value of this type");
}

let buffer = Buffer.allocUnsafe(1 << 14);
let at = 0;

/** The key of a value. */
export function keyOf(value: unknown): Buffer {
  at = 0;
  write(value);
  return Buffer.from(buffer.subarray(0, at));
}

/** The key as a string, for Map and Set. */
export function nameOf(value: unknown): string {
  at = 0;
  write(value);
  return buffer.toString("latin1", 0, at);
}

export const equal = (a: unknown, b: unknown): boolean =>
  typeof a === "string" && typeof b === "string" ? a === b : compare(a, b) === 0;

/** Negative, 0 or positive, in MongoDB's order of values. */
export function compare(a: unknown, b: unknown): number {
  const types = tagOf(a) - tagOf(b);
  return types !== 0 ? types : Buffer.compare(keyOf(a), keyOf(b));
}

/** Turned over, bytes compare the other way round: a descending part of a key. */
export function inverted(key: Uint8Array): Buffer {
  const turned = Buffer.from(key);
  for (let i = 0; i < turned.length; i++) turned[i] = ~(turned[i] ?? 0);
  return turned;
}

/** The first key after all those that begin with these bytes. */
export function successor(key: Uint8Array): Buffer {
  let last = key.length - 1;
  while (last >= 0 && key[last] === 0xff) last--;
  const next = Buffer.from(key.subarray(0, last + 1));
  if (last >= 0) next[last] = (next[last] ?? 0) + 1;
  return next;
}

function room(bytes: number): void {
  if (at + bytes <= buffer.length) return;
  const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, at + bytes));
  buffer.copy(larger, 0, 0, at);
  buffer = larger;
}

function byte(value: number): void {
  room(1);
  buffer[at++] = value;
}

function bytes(value: Uint8Array): void {
  room(value.length);
  buffer.set(value, at);
  at += value.length;
}

/** Ends with two zero bytes; a zero byte within is followed by 0xff. */
function text(value: string): void {
  room(value.length * 3 + 2);
  if (!value.includes("\0")) {
    at += buffer.write(value, at);
  } else {
    for (const [i, part] of value.split("\0").entries()) {
      if (i > 0) bytes(Uint8Array.of(0, 0xff));
      bytes(Buffer.from(part));
    }
  }
  bytes(Uint8Array.of(0, 0));
}

function write(value: unknown): void {
  const tag = tagOf(value);
  byte(tag);
  body(tag, value);
}

/** What follows the tag; the tag says what the value is. */
function body(tag: number, value: unknown): void {
  switch (tag) {
    case Tag.string:
      text(value instanceof BSONSymbol ? value.value : (value as string));
      break;
    case Tag.number:
      bytes(numberKey(value as Number_));
      break;
    case Tag.boolean:
      byte(value === true ? 1 : 0);
      break;
    case Tag.objectId:
      bytes((value as ObjectId).id);
      break;
    case Tag.date:
      bytes(numberKey((value as Date).getTime()));
      break;
    case Tag.array:
      for (const each of value as unknown[]) write(each ?? null);
      byte(0);
      break;
    case Tag.object:
      fields(value as Document);
      byte(0);
      break;
    case Tag.binary:
      binary(value as Binary);
      break;
    case Tag.timestamp: {
      const time = Buffer.alloc(8);
      time.writeUInt32BE((value as Timestamp).getHighBitsUnsigned(), 0);
      time.writeUInt32BE((value as Timestamp).getLowBitsUnsigned(), 4);
      bytes(time);
      break;
    }
    case Tag.regex:
      text(value instanceof RegExp ? value.source : (value as BSONRegExp).pattern);
      text(value instanceof RegExp ? value.flags : (value as BSONRegExp).options);
      break;
    case Tag.code:
      text((value as Code).code);
  }
}

/** Fields compare by type, then by name, then by value. */
function fields(document: Document): void {
  for (const name of Object.keys(document)) {
    const value: unknown = document[name];
    if (value === undefined) continue;
    const tag = tagOf(value);
    byte(tag);
    text(name);
    body(tag, value);
  }
}

/** Binary data compares by length, then by its kind, then by its bytes. */
function binary(value: Binary): void {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(value.position, 0);
  head[4] = value.sub_type;
  bytes(head);
  bytes(value.buffer.subarray(0, value.position));
}
