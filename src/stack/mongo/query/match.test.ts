import { Decimal128, Double, Long, MaxKey, MinKey } from "bson";
import { describe, expect, test } from "vitest";
import { type Document, decode, encode } from "../values.ts";
import { filterContext } from "./find.ts";
import { matcherOf } from "./match.ts";

const matches = (filter: Document, document: Document) =>
  matcherOf(decode(encode(filter)), filterContext())(decode(encode(document)));

describe("a filter", () => {
  test.each<[filter: Document, found: Document[], passed: Document[]]>([
    [
      { a: 1 },
      [{ a: 1 }, { a: [2, 1] }, { a: new Double(1) }, { a: Decimal128.fromString("1.0") }],
      [{ a: [[1]] }, { a: "1" }, {}],
    ],
    [{ a: null }, [{ a: null }, {}, { a: [null] }], [{ a: 0 }, { a: [] }]],
    [
      { "a.b": null },
      [{}, { a: 1 }, { a: {} }, { a: [{ b: 1 }, {}] }],
      [{ a: { b: 1 } }, { a: [] }, { a: [1] }],
    ],
    [
      { "a.b": 1 },
      [{ a: { b: 1 } }, { a: [{ b: 2 }, { b: 1 }] }, { a: { b: [1] } }],
      [{ a: [[{ b: 1 }]] }, { "a.b": 1 }],
    ],
    [{ "a.1": 5 }, [{ a: [0, 5] }, { a: { 1: 5 } }, { a: [{ 1: 5 }] }], [{ a: [5] }]],
    [{ a: [1, 2] }, [{ a: [1, 2] }, { a: [[1, 2]] }], [{ a: [2, 1] }, { a: [1, 2, 3] }]],
    [{ a: { x: 1, y: 1 } }, [{ a: { x: 1, y: 1 } }], [{ a: { y: 1, x: 1 } }, { a: { x: 1 } }]],
    [{ a: {} }, [{ a: {} }], [{ a: { b: 1 } }, {}]],
    [
      { a: { $gt: 1 } },
      [{ a: 2 }, { a: [0, 2] }],
      [{ a: 1 }, { a: "2" }, { a: null }, { a: new Double(Number.NaN) }],
    ],
    [{ a: { $gt: 1, $lt: 3 } }, [{ a: 2 }, { a: [0, 5] }], [{ a: 3 }]],
    [{ a: { $gte: null } }, [{ a: null }, {}], [{ a: 1 }]],
    [{ a: { $lt: "b" } }, [{ a: "a" }], [{ a: 1 }, { a: "b" }]],
    [{ a: { $gte: new Double(Number.NaN) } }, [{ a: new Double(Number.NaN) }], [{ a: 1 }]],
    [{ a: { $gt: new MinKey() } }, [{ a: 1 }, { a: "x" }, {}], [{ a: new MinKey() }]],
    [{ a: { $lt: new MaxKey() } }, [{ a: 1 }, { a: null }], [{ a: new MaxKey() }]],
    [{ a: { $lt: [2] } }, [{ a: [1, 9] }], [{ a: [3] }, { a: 1 }]],
    [{ a: { $ne: 1 } }, [{ a: 2 }, {}, { a: [2] }], [{ a: 1 }, { a: [1, 2] }]],
    [{ a: { $in: [1, null, /^x/] } }, [{ a: 1 }, {}, { a: "xy" }, { a: [1] }], [{ a: 2 }, { a: "yx" }]],
    [{ a: { $in: [] } }, [], [{ a: 1 }, {}]],
    [{ a: { $nin: [1] } }, [{ a: 2 }, {}], [{ a: [1, 2] }]],
    [{ a: { $exists: true } }, [{ a: null }, { a: [] }], [{}]],
    [{ "a.b": { $exists: false } }, [{}, { a: 1 }, { a: [{ c: 1 }] }, { a: [] }], [{ a: [{ b: 1 }, {}] }]],
    [{ a: { $type: "string" } }, [{ a: "x" }, { a: [1, "x"] }], [{ a: 1 }]],
    [{ a: { $type: ["int", 18] } }, [{ a: 1 }, { a: Long.fromNumber(1) }], [{ a: 1.5 }]],
    [{ a: { $type: "number" } }, [{ a: 1.5 }, { a: Decimal128.fromString("1") }], [{ a: "1" }]],
    [{ a: { $type: "array" } }, [{ a: [] }], [{ a: 1 }]],
    [{ a: { $size: 2 } }, [{ a: [1, 2] }], [{ a: [1] }, { a: "ab" }, { a: [[1, 2]] }]],
    [{ a: { $all: [1, 2] } }, [{ a: [2, 1, 3] }], [{ a: [1] }, { a: 1 }]],
    [{ a: { $all: [1] } }, [{ a: 1 }], [{ a: 2 }]],
    [{ a: { $all: [] } }, [], [{ a: [] }, {}]],
    [
      { a: { $all: [{ $elemMatch: { x: 1 } }, { $elemMatch: { x: 2 } }] } },
      [{ a: [{ x: 1 }, { x: 2 }] }],
      [{ a: [{ x: 1 }] }],
    ],
    [{ a: { $elemMatch: { $gt: 1, $lt: 3 } } }, [{ a: [0, 2] }], [{ a: [0, 5] }, { a: 2 }]],
    [
      { a: { $elemMatch: { x: 1, y: 2 } } },
      [{ a: [{ x: 1, y: 2 }] }],
      [{ a: [{ x: 1 }, { y: 2 }] }, { a: { x: 1, y: 2 } }],
    ],
    [{ a: { $elemMatch: { $or: [{ x: 1 }, { y: 1 }] } } }, [{ a: [{ y: 1 }] }], [{ a: [{ z: 1 }] }]],
    [{ a: { $mod: [4, 1] } }, [{ a: 5 }, { a: 5.9 }, { a: [1] }], [{ a: 4 }, { a: "5" }, { a: -3 }]],
    [{ a: { $regex: "^a", $options: "i" } }, [{ a: "AB" }, { a: ["x", "ab"] }], [{ a: "ba" }, { a: 1 }]],
    [{ a: { $regex: "a.b", $options: "s" } }, [{ a: "a\nb" }], [{ a: "ab" }]],
    [{ a: { $regex: "user\\-1\\.x" } }, [{ a: "user-1.x" }], [{ a: "user-1yx" }]],
    [{ a: { $not: { $gt: 1 } } }, [{ a: 1 }, {}, { a: "x" }], [{ a: 2 }]],
    [{ a: { $not: /x/ } }, [{ a: "y" }, {}], [{ a: "x" }]],
    [{ $nor: [{ a: 1 }, { b: 1 }] }, [{ a: 2 }], [{ b: 1 }]],
    [{ $or: [{ a: 1 }, { b: { $gt: 1 } }] }, [{ b: 2 }], [{ b: 1 }]],
    [{ $and: [{ a: { $gt: 1 } }, { a: { $lt: 5 } }], b: 1 }, [{ a: 3, b: 1 }], [{ a: 3 }]],
    [{ $expr: { $gt: ["$a", "$b"] } }, [{ a: 2, b: 1 }, { a: 1 }], [{ a: 1, b: 2 }]],
    [{ $jsonSchema: { required: ["a"] } }, [{ a: 1 }], [{}]],
    [{ a: { $bitsAllSet: 5 } }, [{ a: 7 }, { a: -1 }], [{ a: 4 }]],
    [{ a: { $bitsAnyClear: [0, 1] } }, [{ a: 1 }], [{ a: 3 }]],
    [{ $comment: "why", a: 1 }, [{ a: 1 }], [{}]],
    [{ constructor: 1, toString: { $exists: false } }, [{ constructor: 1 }], [{}]],
    [JSON.parse('{"__proto__": 1}'), [JSON.parse('{"__proto__": 1}')], [{}]],
    [
      { a: Long.fromString("9007199254740993") },
      [{ a: Long.fromString("9007199254740993") }],
      [{ a: 9007199254740992 }],
    ],
  ])("%j", (filter, found, passed) => {
    for (const document of found) expect(matches(filter, document), JSON.stringify(document)).toBe(true);
    for (const document of passed) expect(matches(filter, document), JSON.stringify(document)).toBe(false);
  });
});
