// What each expression comes to, as MongoDB's manual has it.
// biome-ignore-all lint/suspicious/noThenProperty: $cond and $switch have one
import { Decimal128, Double, Int32, Long, ObjectId } from "bson";
import { describe, expect, test } from "vitest";
import { decode, encode } from "../values.ts";
import { expressionOf } from "./expressions.ts";
import { mingoOperators } from "./mingo-operators.ts";
import { ownOperators } from "./own-operators.ts";

const at = new Date("2026-03-04T05:06:07.089Z");
const id = new ObjectId("65e5a1f0c0ffee0000000001");

const document = decode(
  encode({
    _id: id,
    n: 5,
    m: 2,
    z: 0,
    half: 2.5,
    s: "Hello, Wörld",
    blank: "  x ",
    nil: null,
    t: true,
    list: [1, 2, 3],
    words: ["b", "a", "b"],
    empty: [],
    docs: [{ k: "a", v: 1 }, { k: "b", v: 2 }, { k: "a" }],
    o: { x: 1, y: { z: "deep" } },
    at,
    decimal: Decimal128.fromString("1.10"),
    long: Long.fromString("9007199254740993"),
  }),
);

/** As a driver would give it to an application. */
const seen = (value: unknown): unknown => {
  const { v } = decode(encode({ v: value })) as { v: unknown };
  const plain = (one: unknown): unknown => {
    if (one instanceof Int32 || one instanceof Double) return one.value;
    if (Array.isArray(one)) return one.map(plain);
    if (one !== null && typeof one === "object" && Object.getPrototypeOf(one) === Object.prototype) {
      return Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, plain(inner)]));
    }
    return one;
  };
  return plain(v);
};

const evaluate = (expression: unknown) =>
  seen(expressionOf(decode(encode({ e: expression }))["e"])(document));
const MISSING = undefined;

const cases: [expression: unknown, value: unknown][] = [
  ["$n", 5],
  ["$o.y.z", "deep"],
  ["$docs.v", [1, 2]],
  ["$nowhere", MISSING],
  ["$n.x", MISSING],
  ["$$ROOT.o.x", 1],
  ["$$CURRENT.n", 5],
  ["$$REMOVE", MISSING],
  [{ $literal: "$n" }, "$n"],
  [
    { a: "$n", b: { c: "$nowhere" } },
    { a: 5, b: {} },
  ],
  [
    ["$n", "$nowhere"],
    [5, null],
  ],
  [{ $type: "$n" }, "int"],
  [{ $type: "$half" }, "double"],
  [{ $type: "$decimal" }, "decimal"],
  [{ $type: "$nowhere" }, "missing"],

  [{ $eq: ["$n", 5] }, true],
  [{ $eq: ["$nowhere", null] }, false],
  [{ $eq: ["$decimal", "$decimal"] }, true],
  [{ $eq: ["$o", { x: 1, y: { z: "deep" } }] }, true],
  [{ $eq: ["$o", { y: { z: "deep" }, x: 1 }] }, false],
  [{ $ne: ["$n", "5"] }, true],
  [{ $gt: ["$long", 9007199254740992] }, true],
  [{ $gt: ["$s", 100] }, true],
  [{ $gte: ["$n", 5] }, true],
  [{ $lt: ["$nil", 0] }, true],
  [{ $lt: ["$decimal", 1.2] }, true],
  [{ $lte: ["$nowhere", "$nil"] }, true],
  [{ $cmp: ["$n", "$m"] }, 1],
  [{ $cmp: ["$m", "$n"] }, -1],

  [{ $and: ["$t", "$n"] }, true],
  [{ $and: ["$t", "$z"] }, false],
  [{ $and: [] }, true],
  [{ $or: ["$z", "$nil"] }, false],
  [{ $or: ["$z", "$s"] }, true],
  [{ $not: ["$z"] }, true],
  [{ $not: "$s" }, false],
  [{ $cond: ["$t", "$n", "no"] }, 5],
  [{ $cond: { if: "$z", then: 1, else: "$nowhere" } }, MISSING],
  [{ $ifNull: ["$nil", "$nowhere", "else"] }, "else"],
  [{ $ifNull: ["$n", "else"] }, 5],
  [
    {
      $switch: {
        branches: [
          { case: { $gt: ["$n", 9] }, then: "a" },
          { case: "$t", then: "b" },
        ],
      },
    },
    "b",
  ],
  [{ $switch: { branches: [{ case: "$z", then: "a" }], default: "d" } }, "d"],

  [{ $in: [2, "$list"] }, true],
  [{ $in: ["$nowhere", ["$nil"]] }, false],
  [{ $indexOfArray: ["$words", "b", 1] }, 2],
  [{ $indexOfArray: ["$words", "q"] }, -1],
  [{ $setUnion: ["$words", ["c"]] }, ["a", "b", "c"]],
  [{ $setIntersection: ["$words", ["b", "z"]] }, ["b"]],
  [{ $setDifference: ["$words", ["b"]] }, ["a"]],
  [{ $setEquals: ["$words", ["a", "b"]] }, true],
  [{ $setIsSubset: [["a"], "$words"] }, true],
  [{ $setUnion: ["$words", "$nil"] }, null],
  [{ $allElementsTrue: [["$n", true]] }, true],
  [{ $allElementsTrue: [["$n", "$z"]] }, false],
  [{ $anyElementTrue: [["$z", "$n"]] }, true],
  [{ $anyElementTrue: ["$empty"] }, false],

  [{ $add: ["$n", "$half", 1] }, 8.5],
  [{ $add: ["$n", "$nil"] }, null],
  [{ $add: ["$at", 1_000] }, new Date(at.getTime() + 1_000)],
  [{ $subtract: ["$n", "$m"] }, 3],
  [{ $subtract: ["$at", 1_000] }, new Date(at.getTime() - 1_000)],
  [{ $subtract: ["$at", "$at"] }, 0],
  [{ $multiply: ["$n", "$half"] }, 12.5],
  [{ $divide: ["$n", "$m"] }, 2.5],
  [{ $mod: ["$n", "$m"] }, 1],
  [{ $mod: [-5, 3] }, -2],
  [{ $abs: -3 }, 3],
  [{ $ceil: "$half" }, 3],
  [{ $floor: -2.5 }, -3],
  [{ $sqrt: 16 }, 4],
  [{ $pow: ["$m", 10] }, 1024],
  [{ $exp: 0 }, 1],
  [{ $ln: 1 }, 0],
  [{ $log: [8, 2] }, 3],
  [{ $log10: 1_000 }, 3],
  [{ $trunc: ["$half"] }, 2],
  [{ $trunc: [12.345, 1] }, 12.3],
  [{ $round: ["$half"] }, 2],
  [{ $round: [3.5] }, 4],
  [{ $round: [1234.5678, 2] }, 1234.57],
  [{ $round: [1250, -2] }, 1200],
  [{ $sum: "$list" }, 6],
  [{ $sum: ["$n", "$m", "$s"] }, 7],
  [{ $avg: "$list" }, 2],
  [{ $avg: "$empty" }, null],
  [{ $min: "$list" }, 1],
  [{ $max: ["$n", "$m", "$nil"] }, 5],
  [{ $isNumber: "$decimal" }, true],
  [{ $isNumber: "$s" }, false],

  [{ $arrayElemAt: ["$list", -1] }, 3],
  [{ $arrayElemAt: ["$list", 9] }, MISSING],
  [{ $arrayElemAt: ["$nil", 0] }, null],
  [{ $first: "$list" }, 1],
  [{ $last: "$list" }, 3],
  [{ $first: "$empty" }, MISSING],
  [{ $concatArrays: ["$list", ["$n"]] }, [1, 2, 3, 5]],
  [{ $concatArrays: ["$list", "$nil"] }, null],
  [{ $filter: { input: "$list", as: "one", cond: { $gt: ["$$one", 1] } } }, [2, 3]],
  [{ $filter: { input: "$list", cond: { $gt: ["$$this", "$m"] } } }, [3]],
  [{ $filter: { input: "$list", cond: true, limit: 2 } }, [1, 2]],
  [{ $filter: { input: "$nil", cond: true } }, null],
  [{ $map: { input: "$list", as: "one", in: { $multiply: ["$$one", "$m"] } } }, [2, 4, 6]],
  [{ $map: { input: "$docs", in: "$$this.k" } }, ["a", "b", "a"]],
  [{ $map: { input: "$docs", in: "$$this.v" } }, [1, 2, null]],
  [{ $map: { input: "$nowhere", in: 1 } }, null],
  [{ $reduce: { input: "$list", initialValue: 10, in: { $add: ["$$value", "$$this"] } } }, 16],
  [{ $reduce: { input: "$words", initialValue: "", in: { $concat: ["$$value", "$$this"] } } }, "bab"],
  [{ $reduce: { input: "$nil", initialValue: 0, in: 1 } }, null],
  [{ $reverseArray: "$list" }, [3, 2, 1]],
  [{ $reverseArray: "$nil" }, null],
  [{ $size: "$list" }, 3],
  [{ $slice: ["$list", 2] }, [1, 2]],
  [{ $slice: ["$list", -2] }, [2, 3]],
  [{ $slice: ["$list", 1, 1] }, [2]],
  [{ $slice: ["$list", -2, 1] }, [2]],
  [{ $slice: ["$nil", 1] }, null],
  [{ $range: [0, 10, 4] }, [0, 4, 8]],
  [{ $range: [3, 0, -1] }, [3, 2, 1]],
  [{ $isArray: "$list" }, true],
  [{ $isArray: ["$n"] }, false],
  [
    { $zip: { inputs: ["$list", ["a", "b"]] } },
    [
      [1, "a"],
      [2, "b"],
    ],
  ],
  [
    { $zip: { inputs: [["a"], [1, 2]], useLongestLength: true } },
    [
      ["a", 1],
      [null, 2],
    ],
  ],
  [
    {
      $arrayToObject: [
        [
          ["a", 1],
          ["b", 2],
        ],
      ],
    },
    { a: 1, b: 2 },
  ],
  [{ $arrayToObject: [[{ k: "a", v: "$n" }]] }, { a: 5 }],
  [
    { $objectToArray: "$o" },
    [
      { k: "x", v: 1 },
      { k: "y", v: { z: "deep" } },
    ],
  ],
  [{ $objectToArray: "$nil" }, null],
  [{ $mergeObjects: ["$o", { x: 2 }, "$nil"] }, { x: 2, y: { z: "deep" } }],
  [{ $getField: "n" }, 5],
  [{ $getField: { field: "x", input: "$o" } }, 1],
  [{ $setField: { field: "w", input: "$o", value: "$n" } }, { x: 1, y: { z: "deep" }, w: 5 }],
  [{ $unsetField: { field: "y", input: "$o" } }, { x: 1 }],
  [{ $let: { vars: { a: "$n", b: 2 }, in: { $add: ["$$a", "$$b"] } } }, 7],

  [{ $concat: ["$s", "!"] }, "Hello, Wörld!"],
  [{ $concat: ["$s", "$nil"] }, null],
  [{ $toLower: "$s" }, "hello, wörld"],
  [{ $toUpper: "wörld" }, "WöRLD"],
  [{ $toLower: "$nil" }, ""],
  [{ $toUpper: "abc" }, "ABC"],
  [{ $trim: { input: "$blank" } }, "x"],
  [{ $trim: { input: "xxaxx", chars: "x" } }, "a"],
  [{ $ltrim: { input: "$blank" } }, "x "],
  [{ $rtrim: { input: "$blank" } }, "  x"],
  [{ $trim: { input: "$nil" } }, null],
  [{ $split: ["a-b-c", "-"] }, ["a", "b", "c"]],
  [{ $split: ["$nil", "-"] }, null],
  [{ $strLenCP: "$s" }, 12],
  [{ $strLenBytes: "$s" }, 13],
  [{ $substrCP: ["$s", 7, 3] }, "Wör"],
  [{ $strcasecmp: ["a", "B"] }, -1],
  [{ $strcasecmp: ["AB", "ab"] }, 0],
  [{ $replaceOne: { input: "a.b.c", find: ".", replacement: "-" } }, "a-b.c"],
  [{ $replaceAll: { input: "a.b.c", find: ".", replacement: "-" } }, "a-b-c"],
  [{ $replaceAll: { input: "$nil", find: ".", replacement: "-" } }, null],
  [{ $regexMatch: { input: "$s", regex: "^hel", options: "i" } }, true],
  [{ $regexMatch: { input: "$s", regex: /^hel/ } }, false],
  [{ $regexMatch: { input: "$nil", regex: "a" } }, false],
  [{ $regexFind: { input: "xaby", regex: "a(b)" } }, { match: "ab", idx: 1, captures: ["b"] }],
  [{ $regexFind: { input: "xaby", regex: "q" } }, null],
  [
    { $regexFindAll: { input: "abab", regex: "a(b)" } },
    [
      { match: "ab", idx: 0, captures: ["b"] },
      { match: "ab", idx: 2, captures: ["b"] },
    ],
  ],

  [{ $year: "$at" }, 2026],
  [{ $month: "$at" }, 3],
  [{ $dayOfMonth: "$at" }, 4],
  [{ $hour: "$at" }, 5],
  [{ $minute: "$at" }, 6],
  [{ $second: "$at" }, 7],
  [{ $millisecond: "$at" }, 89],
  [{ $dayOfYear: "$at" }, 63],
  [{ $dayOfWeek: "$at" }, 4],
  [{ $isoDayOfWeek: "$at" }, 3],
  [{ $isoWeek: "$at" }, 10],
  [{ $isoWeekYear: "$at" }, 2026],
  [{ $week: "$at" }, 9],
  [{ $year: "$nil" }, null],
  [{ $hour: { date: "$at", timezone: "+02:00" } }, 7],
  [{ $hour: { date: "$at", timezone: "Europe/Berlin" } }, 6],
  [{ $dateToString: { date: "$at" } }, "2026-03-04T05:06:07.089Z"],
  [{ $dateToString: { date: "$at", format: "%Y/%m/%d %H:%M:%S.%L" } }, "2026/03/04 05:06:07.089"],
  [{ $dateToString: { date: "$nil" } }, null],
  [{ $dateToString: { date: "$nil", onNull: "none" } }, "none"],
  [{ $dateFromString: { dateString: "2026-03-04T05:06:07.089Z" } }, at],
  [{ $dateFromString: { dateString: "2026-03-04" } }, new Date("2026-03-04T00:00:00Z")],
  [{ $dateFromString: { dateString: "$nil" } }, null],
  [{ $dateFromParts: { year: 2026, month: 3, day: 4 } }, new Date("2026-03-04T00:00:00Z")],
  [
    { $dateToParts: { date: "$at" } },
    { year: 2026, month: 3, day: 4, hour: 5, minute: 6, second: 7, millisecond: 89 },
  ],
  [{ $dateAdd: { startDate: "$at", unit: "day", amount: 2 } }, new Date("2026-03-06T05:06:07.089Z")],
  [
    { $dateAdd: { startDate: new Date("2026-01-31T00:00:00Z"), unit: "month", amount: 1 } },
    new Date("2026-02-28T00:00:00Z"),
  ],
  [{ $dateSubtract: { startDate: "$at", unit: "hour", amount: 6 } }, new Date("2026-03-03T23:06:07.089Z")],
  [{ $dateDiff: { startDate: new Date("2026-03-01T23:00:00Z"), endDate: "$at", unit: "day" } }, 3],
  [{ $dateDiff: { startDate: new Date("2025-12-31T23:59:59Z"), endDate: "$at", unit: "year" } }, 1],
  [{ $dateDiff: { startDate: "$at", endDate: new Date("2026-03-01T23:00:00Z"), unit: "hour" } }, -54],
  [{ $dateDiff: { startDate: new Date("2026-01-01T00:00:00Z"), endDate: "$at", unit: "week" } }, 9],
  [{ $dateDiff: { startDate: new Date("2025-12-31T00:00:00Z"), endDate: "$at", unit: "quarter" } }, 1],
  [{ $dateDiff: { startDate: new Date("2026-01-31T00:00:00Z"), endDate: "$at", unit: "month" } }, 2],
  [{ $dateDiff: { startDate: new Date("2026-03-04T05:05:59Z"), endDate: "$at", unit: "minute" } }, 1],
  [{ $dateDiff: { startDate: "$nil", endDate: "$at", unit: "day" } }, null],
  [{ $dateTrunc: { date: "$at", unit: "quarter" } }, new Date("2026-01-01T00:00:00Z")],
  [{ $dateTrunc: { date: "$at", unit: "year" } }, new Date("2026-01-01T00:00:00Z")],
  [{ $dateTrunc: { date: "$at", unit: "day", timezone: "+02:00" } }, new Date("2026-03-03T22:00:00Z")],
  [{ $dateTrunc: { date: "$at", unit: "week" } }, new Date("2026-03-01T00:00:00Z")],
  [{ $dateTrunc: { date: "$nil", unit: "day" } }, null],
  [{ $dateTrunc: { date: "$at", unit: "month" } }, new Date("2026-03-01T00:00:00Z")],
  [{ $dateTrunc: { date: "$at", unit: "hour", binSize: 2 } }, new Date("2026-03-04T04:00:00Z")],
  [{ $dateTrunc: { date: "$at", unit: "week", startOfWeek: "monday" } }, new Date("2026-03-02T00:00:00Z")],
  [{ $dateTrunc: { date: "$at", unit: "minute", binSize: 15 } }, new Date("2026-03-04T05:00:00Z")],

  [{ $toString: "$_id" }, String(id)],
  [{ $toString: "$half" }, "2.5"],
  [{ $toString: "$t" }, "true"],
  [{ $toString: "$at" }, "2026-03-04T05:06:07.089Z"],
  [{ $toString: "$decimal" }, "1.10"],
  [{ $toString: "$nil" }, null],
  [{ $toInt: "12" }, 12],
  [{ $toInt: 2.9 }, 2],
  [{ $toDouble: "2.5" }, 2.5],
  [{ $toBool: "$z" }, false],
  [{ $toBool: "false" }, true],
  [{ $toDate: "2026-03-04T05:06:07.089Z" }, at],
  [{ $toDate: "$_id" }, id.getTimestamp()],
  [{ $toObjectId: String(id) }, id],
];

test.each(cases)("%j is %j", (expression, value) => {
  expect(evaluate(expression)).toEqual(value);
});

test("every operator is among them", () => {
  const tried = JSON.stringify(cases.map(([expression]) => expression));
  const known = [...mingoOperators, ...Object.keys(ownOperators)];
  expect(known.filter((name) => !tried.includes(`"${name}"`))).toEqual([]);
});

describe("what JavaScript cannot compute exactly is refused", () => {
  test.each<[unknown]>([
    [{ $add: ["$decimal", 1] }],
    [{ $multiply: ["$long", 2] }],
    [{ $add: [9007199254740991, 9007199254740991] }],
    [{ $toDouble: "$decimal" }],
    [{ $toDecimal: "1" }],
    [{ $map: { input: "$list", in: { $add: ["$$this", "$decimal"] } } }],
  ])("%j", (expression) => {
    expect(() => evaluate(expression)).toThrow(expect.objectContaining({ code: 238 }));
  });
});

describe("what is wrong is told", () => {
  test.each<[unknown, number]>([
    [{ $add: ["$s", 1] }, 14],
    [{ $divide: [1, "$z"] }, 2],
    [{ $nosuch: 1 }, 168],
    ["$$nosuch", 17276],
    [{ $map: { input: "$list", in: "$$nosuch" } }, 17276],
    [{ $eq: [1] }, 16020],
    [{ $size: "$n" }, 2],
    [{ $concat: ["$n"] }, 2],
    [{ $toInt: "x" }, 241],
    [{ $add: [1], $subtract: [1] }, 15983],
    [{ $switch: { branches: [{ case: "$z", then: 1 }] } }, 40066],
    [{ $arrayElemAt: ["$n", 0] }, 2],
    [{ $dateToString: { date: "$s" } }, 2],
    [{ $split: ["$n", "-"] }, 2],
    [{ $slice: ["$n", 1] }, 28724],
    [{ $toLower: "$o" }, 16007],
    [{ $reverseArray: "$n" }, 2],
    [{ $mergeObjects: ["$n"] }, 40400],
    [{ $range: ["$s", 1] }, 2],
    [{ $trim: { input: "$n" } }, 2],
    [{ $year: "$s" }, 16006],
    [{ $objectToArray: "$n" }, 2],
    [{ $filter: { input: "$n", cond: true } }, 2],
    [{ $regexMatch: { input: "$n", regex: "a" } }, 51104],
    [{ $dateAdd: { startDate: "$at", unit: "aeon", amount: 1 } }, 2],
  ])("%j", (expression, code) => {
    expect(() => evaluate(expression)).toThrow(expect.objectContaining({ code }));
  });
});

test("variables of the command, and the types of what passes through", () => {
  const lets = decode(encode({ x: 7, o: { y: Long.fromString("9007199254740993") } }));
  expect(seen(expressionOf({ $add: ["$$x", "$n"] }, lets)(document))).toBe(12);
  expect(String(expressionOf("$$o.y", lets)(document))).toBe("9007199254740993");
  expect(expressionOf("$decimal")(document)).toBeInstanceOf(Decimal128);
});
