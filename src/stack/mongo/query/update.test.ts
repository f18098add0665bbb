import { Decimal128, Long } from "bson";
import { describe, expect, test } from "vitest";
import { type Document, decode, encode } from "../values.ts";
import { updateOf } from "./update.ts";

const bytes = (document: Document) => Buffer.from(encode(document)).toString("hex");

function update(
  before: Document,
  change: unknown,
  options: { filter?: Document; arrayFilters?: unknown } = {},
): Document {
  const exact = (value: unknown) => decode(encode({ value }))["value"];
  const run = updateOf(exact(change), {
    filter: exact(options.filter ?? {}) as Document,
    arrayFilters: exact(options.arrayFilters),
  });
  const document = decode(encode(before));
  const after = run(document);
  expect(bytes(document)).toBe(bytes(before)); // the old one is left as it is
  return after;
}

describe("an update makes", () => {
  test.each<[Document, unknown, Document, { filter?: Document; arrayFilters?: unknown }?]>([
    [{ a: 1 }, { $set: { "b.c": 1, "b.d": 2 } }, { a: 1, b: { c: 1, d: 2 } }],
    [{}, { $set: { z: 1, a: 2 } }, { a: 2, z: 1 }], // new fields come in the order of their names
    [{ a: [1] }, { $set: { "a.3": 4 } }, { a: [1, null, null, 4] }],
    [{ a: {} }, { $set: { "a.0": 4 } }, { a: { 0: 4 } }],
    [{ a: [{ b: 1 }] }, { $set: { "a.0.b": 2 } }, { a: [{ b: 2 }] }],
    [{ a: [1, 2] }, { $unset: { "a.0": "" } }, { a: [null, 2] }],
    [{ a: 1 }, { $unset: { "a.b": "", c: "" } }, { a: 1 }],
    [{}, { $inc: { n: 2 } }, { n: 2 }],
    [{ n: 2 ** 31 - 1 }, { $inc: { n: 1 } }, { n: Long.fromNumber(2 ** 31) }],
    [
      { n: Long.fromString("9007199254740993") },
      { $inc: { n: 2 } },
      { n: Long.fromString("9007199254740995") },
    ],
    [{ n: Decimal128.fromString("0.10") }, { $inc: { n: 0.2 } }, { n: Decimal128.fromString("0.30") }],
    [{ n: Decimal128.fromString("1.5") }, { $mul: { n: 3 } }, { n: Decimal128.fromString("4.5") }],
    [{}, { $mul: { n: 3 } }, { n: 0 }],
    [{ n: 1.5 }, { $inc: { n: 1 } }, { n: 2.5 }],
    [{ n: 5 }, { $min: { n: 7 }, $max: { m: 1 } }, { n: 5, m: 1 }],
    [{ n: "x" }, { $max: { n: 7 } }, { n: "x" }], // strings are greater than numbers
    [{ a: 1, b: 2 }, { $rename: { a: "b" } }, { b: 1 }],
    [{ a: { b: 1 } }, { $rename: { "a.b": "c.d" } }, { a: {}, c: { d: 1 } }],
    [{ a: 1 }, { $rename: { x: "y" } }, { a: 1 }],
    [{}, { $push: { a: 1 } }, { a: [1] }],
    [{ a: [1] }, { $push: { a: [2] } }, { a: [1, [2]] }],
    [{ a: [1, 2] }, { $push: { a: { $each: [3], $position: -1 } } }, { a: [1, 3, 2] }],
    [{ a: [] }, { $push: { a: { $each: [3, 1, 2], $sort: -1, $slice: 2 } } }, { a: [3, 2] }],
    [
      { a: [{ s: 2 }] },
      { $push: { a: { $each: [{ s: 1 }], $sort: { s: 1 } } } },
      { a: [{ s: 1 }, { s: 2 }] },
    ],
    [{ a: [1] }, { $addToSet: { a: { $each: [1, 2, 2] } } }, { a: [1, 2] }],
    [
      { a: [{ x: 1, y: 2 }] },
      { $addToSet: { a: { y: 2, x: 1 } } },
      {
        a: [
          { x: 1, y: 2 },
          { y: 2, x: 1 },
        ],
      },
    ],
    [{ a: [1, 2, 3] }, { $pop: { a: 1 } }, { a: [1, 2] }],
    [{ a: [1, 2, 3] }, { $pop: { a: -1 } }, { a: [2, 3] }],
    [{ a: [1, 2, 1] }, { $pull: { a: 1 } }, { a: [2] }],
    [{ a: ["x", "y"] }, { $pull: { a: /x/ } }, { a: ["y"] }],
    [{ a: [{ b: [1, 2] }, { b: [3] }] }, { $pull: { a: { b: { $in: [3] } } } }, { a: [{ b: [1, 2] }] }],
    [{ a: [1, 2, 3] }, { $pullAll: { a: [1, 3] } }, { a: [2] }],
    [{ a: [1, 5, 9] }, { $set: { "a.$": 0 } }, { a: [1, 0, 9] }, { filter: { a: { $gt: 4 } } }],
    [
      { a: [{ b: [1, 2] }] },
      { $set: { "a.$.c": 1 } },
      { a: [{ b: [1, 2], c: 1 }] },
      { filter: { "a.b": 2 } },
    ],
    [
      { a: [{ b: 1 }, { b: 2 }] },
      { $inc: { "a.$.b": 5 } },
      { a: [{ b: 1 }, { b: 7 }] },
      { filter: { a: { $elemMatch: { b: 2 } } } },
    ],
    [
      { a: [[1], [2]] },
      { $set: { "a.$[].$[e]": 0 } },
      { a: [[1], [0]] },
      { arrayFilters: [{ e: { $gt: 1 } }] },
    ],
    [{ a: 1, b: 2 }, { c: 3 }, { c: 3 }],
    [{ _id: 1, b: 2 }, { c: 3 }, { _id: 1, c: 3 }],
    [{ a: 1 }, [{ $set: { b: { $add: ["$a", 1] } } }, { $unset: "a" }], { b: 2 }],
    [{ a: 1 }, { $setOnInsert: { b: 1 } }, { a: 1 }],
    [{ a: 1 }, {}, {}],
    [
      JSON.parse('{"__proto__": {"x": 1}}'),
      { $set: { a: 1 } },
      JSON.parse('{"__proto__": {"x": 1}, "a": 1}'),
    ],
  ])("of %j by %j: %j", (before, change, after, options) => {
    expect(bytes(update(before, change, options))).toBe(bytes(after));
  });
});

describe("an update is refused", () => {
  test.each<[Document, unknown, number, { filter?: Document; arrayFilters?: unknown }?]>([
    [{ a: 1 }, { $set: { "a.b": 1 } }, 28],
    [{ a: null }, { $set: { "a.b": 1 } }, 28],
    [{ a: [1] }, { $set: { "a.b": 1 } }, 28],
    [{ a: "x" }, { $inc: { a: 1 } }, 14],
    [{ a: 1 }, { $inc: { a: "x" } }, 14],
    [{ n: Long.MAX_VALUE }, { $inc: { n: 1 } }, 2],
    [{ a: 1 }, { $push: { a: 1 } }, 2],
    [{ a: 1 }, { $pull: { a: 1 } }, 2],
    [{ a: 1 }, { $pop: { a: 1 } }, 14],
    [{ a: [] }, { $pop: { a: 2 } }, 9],
    [{ _id: 1 }, { $set: { _id: 2 } }, 66],
    [{ _id: 1 }, { $unset: { _id: "" } }, 66],
    [{ _id: 1 }, { _id: 2 }, 66],
    [{}, { $set: { a: 1 }, $inc: { a: 1 } }, 40],
    [{}, { $set: { a: 1, "a.b": 1 } }, 40],
    [{}, { $rename: { a: "b" }, $set: { b: 1 } }, 40],
    [{}, { $rename: { a: "a.b" } }, 2],
    [{ a: [{ b: 1 }] }, { $rename: { "a.0.b": "c" } }, 2],
    [{}, { $foo: { a: 1 } }, 9],
    [{}, { $set: 1 }, 9],
    [{}, { $set: { a: 1 }, b: 2 }, 9],
    [{}, { a: 1, $set: { b: 1 } }, 52],
    [{}, { $set: { "a..b": 1 } }, 56],
    [{}, { $set: { "": 1 } }, 40352],
    [{}, { $set: { $a: 1 } }, 52],
    [{ a: [1] }, { $set: { "a.$": 1 } }, 2],
    [{ a: [1] }, { $set: { "a.$[e]": 1 } }, 2],
    [{ a: [1] }, { $set: { "a.$[e]": 1 } }, 9, { arrayFilters: [{ e: 1 }, { f: 1 }] }],
    [{ a: 1 }, { $set: { "a.$[]": 1 } }, 2],
    [{}, { $set: { "a.$[]": 1 } }, 2],
    [{}, { $push: { a: { $each: 1 } } }, 9],
    [{}, { $push: { a: { $each: [], $foo: 1 } } }, 9],
    [{}, { $addToSet: { a: { $each: [], $slice: 1 } } }, 9],
    [{}, { $currentDate: { a: "x" } }, 2],
    [{}, { $bit: { a: { and: 1 } } }, 238],
    [{}, [{ $group: { _id: 1 } }], 72],
    [{}, "x", 9],
  ])("of %j by %j: %i", (before, change, code, options) => {
    expect(() => update(before, change, options)).toThrow(expect.objectContaining({ code }));
  });
});
