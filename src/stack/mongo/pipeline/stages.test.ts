import { Decimal128, Long } from "bson";
import { describe, expect, test } from "vitest";
import { matcherOf } from "../query/match.ts";
import { type Document, decode, encode } from "../values.ts";
import { stagesOf } from "./stages.ts";

const exactly = <T>(value: T): T => decode(encode({ value }))["value"];
const others: Record<string, Document[]> = {
  other: [
    { _id: 1, k: "a", v: 1 },
    { _id: 2, k: "a", v: 5 },
    { _id: 3, k: ["b", "c"], v: 9 },
    { _id: 4, v: 7 },
  ],
  tree: [
    { _id: "root", parent: null },
    { _id: "left", parent: "root" },
    { _id: "leaf", parent: "left" },
  ],
};

/** As a driver would give it to an application. */
function run(stages: Document[], documents: Document[]): Document[] {
  const read = (name: string, filter: Document) => exactly(others[name] ?? []).filter(matcherOf(filter));
  const results = stagesOf(exactly(stages), { read })(exactly(documents));
  return results.map((one) => JSON.parse(JSON.stringify(one)));
}

describe("a pipeline", () => {
  test.each<[stages: Document[], documents: Document[], results: Document[]]>([
    [[{ $match: { a: { $gt: 1 } } }], [{ a: 1 }, { a: 2 }], [{ a: 2 }]],
    [
      [{ $sort: { a: -1, b: 1 } }],
      [{ a: 1 }, { a: 2, b: 2 }, { a: 2, b: 1 }],
      [{ a: 2, b: 1 }, { a: 2, b: 2 }, { a: 1 }],
    ],
    [[{ $sort: { a: 1 } }], [{ a: [5, 2] }, { a: 3 }, {}], [{}, { a: [5, 2] }, { a: 3 }]],
    [[{ $skip: 1 }, { $limit: 1 }], [{ a: 1 }, { a: 2 }, { a: 3 }], [{ a: 2 }]],
    [
      [{ $project: { _id: 0, a: 1, n: { $add: ["$b", 1] } } }],
      [{ _id: 1, a: 1, b: 2, c: 3 }],
      [{ a: 1, n: 3 }],
    ],
    [[{ $project: { a: 0, "b.c": 0 } }], [{ a: 1, b: { c: 1, d: 2 } }], [{ b: { d: 2 } }]],
    [
      [{ $project: { x: { y: "$a", z: { $literal: 1 } } } }],
      [{ _id: 1, a: 2 }],
      [{ _id: 1, x: { y: 2, z: 1 } }],
    ],
    [
      [{ $addFields: { "b.c": "$a", d: { e: 1 } } }],
      [{ a: 1, b: { x: 2 } }],
      [{ a: 1, b: { x: 2, c: 1 }, d: { e: 1 } }],
    ],
    [[{ $set: { a: "$$REMOVE" } }], [{ a: 1, b: 2 }], [{ b: 2 }]],
    [
      [{ $set: { "a.x": 1 } }],
      [{ a: [{ y: 1 }, { y: 2 }] }],
      [
        {
          a: [
            { y: 1, x: 1 },
            { y: 2, x: 1 },
          ],
        },
      ],
    ],
    [[{ $unset: ["a", "b.c"] }], [{ a: 1, b: { c: 1, d: 2 } }], [{ b: { d: 2 } }]],
    [[{ $replaceRoot: { newRoot: "$a" } }], [{ a: { b: 1 } }], [{ b: 1 }]],
    [[{ $replaceWith: { $mergeObjects: ["$a", { c: 1 }] } }], [{ a: { b: 1 } }], [{ b: 1, c: 1 }]],
    [
      [{ $unwind: "$a" }],
      [{ a: [1, 2] }, { a: 3 }, { a: [] }, { a: null }, {}],
      [{ a: 1 }, { a: 2 }, { a: 3 }],
    ],
    [
      [{ $unwind: { path: "$a.b", includeArrayIndex: "i", preserveNullAndEmptyArrays: true } }],
      [{ a: { b: ["x", "y"] } }, { a: { b: [] } }, { c: 1 }],
      [
        { a: { b: "x" }, i: 0 },
        { a: { b: "y" }, i: 1 },
        { a: {}, i: null },
        { c: 1, i: null },
      ],
    ],
    [
      [
        {
          $group: {
            _id: "$g",
            sum: { $sum: "$v" },
            avg: { $avg: "$v" },
            min: { $min: "$v" },
            max: { $max: "$v" },
            first: { $first: "$v" },
            last: { $last: "$v" },
            all: { $push: "$v" },
            set: { $addToSet: "$v" },
            n: { $count: {} },
          },
        },
      ],
      [{ g: 1, v: 3 }, { g: 1, v: 3 }, { g: 1, v: "x" }, { g: 1 }],
      [
        {
          _id: 1,
          sum: 6,
          avg: 3,
          min: 3,
          max: "x",
          first: 3,
          last: null,
          all: [3, 3, "x"],
          set: [3, "x"],
          n: 4,
        },
      ],
    ],
    [[{ $group: { _id: null, n: { $sum: 1 } } }], [], []],
    [
      [{ $group: { _id: { a: "$a", b: "$b" }, n: { $sum: 1 } } }],
      [{ a: 1 }, { a: 1 }, { a: 1, b: null }],
      [
        { _id: { a: 1 }, n: 2 },
        { _id: { a: 1, b: null }, n: 1 },
      ],
    ],
    [[{ $group: { _id: "$a" } }], [{ a: 1 }, { a: Long.ONE }, { a: null }, {}], [{ _id: 1 }, { _id: null }]],
    [
      [{ $sortByCount: "$a" }],
      [{ a: 1 }, { a: 2 }, { a: 2 }],
      [
        { _id: 2, count: 2 },
        { _id: 1, count: 1 },
      ],
    ],
    [[{ $count: "n" }], [{}, {}], [{ n: 2 }]],
    [[{ $count: "n" }], [], []],
    [
      [{ $bucket: { groupBy: "$a", boundaries: [0, 5, 10], default: "more", output: { n: { $sum: 1 } } } }],
      [{ a: 0 }, { a: 5 }, { a: 9 }, { a: 10 }],
      [
        { _id: 0, n: 1 },
        { _id: 5, n: 2 },
        { _id: "more", n: 1 },
      ],
    ],
    [
      [
        { $lookup: { from: "other", localField: "k", foreignField: "k", as: "j" } },
        { $project: { ids: "$j._id" } },
      ],
      [{ k: "a" }, { k: ["b", "q"] }, { k: "z" }, {}],
      [{ ids: [1, 2] }, { ids: [3] }, { ids: [] }, { ids: [4] }],
    ],
    [
      [
        {
          $lookup: {
            from: "other",
            localField: "k",
            foreignField: "k",
            let: { least: "$least" },
            pipeline: [{ $match: { $expr: { $gte: ["$v", "$$least"] } } }, { $project: { _id: 1 } }],
            as: "j",
          },
        },
      ],
      [{ k: "a", least: 2 }],
      [{ k: "a", least: 2, j: [{ _id: 2 }] }],
    ],
    [
      [
        {
          $graphLookup: {
            from: "tree",
            startWith: "$p",
            connectFromField: "parent",
            connectToField: "_id",
            as: "up",
            depthField: "d",
          },
        },
      ],
      [{ p: "leaf" }],
      [
        {
          p: "leaf",
          up: [
            { _id: "leaf", parent: "left", d: 0 },
            { _id: "left", parent: "root", d: 1 },
            { _id: "root", parent: null, d: 2 },
          ],
        },
      ],
    ],
    [
      [{ $unionWith: { coll: "tree", pipeline: [{ $limit: 1 }] } }],
      [{ a: 1 }],
      [{ a: 1 }, { _id: "root", parent: null }],
    ],
    [
      [{ $facet: { n: [{ $count: "n" }], top: [{ $limit: 1 }] } }],
      [{ a: 1 }, { a: 2 }],
      [{ n: [{ n: 2 }], top: [{ a: 1 }] }],
    ],
    [
      [
        {
          $setWindowFields: {
            partitionBy: "$g",
            sortBy: { v: 1 },
            output: {
              run: { $sum: "$v", window: { documents: ["unbounded", "current"] } },
              near: { $avg: "$v", window: { documents: [-1, 1] } },
              all: { $max: "$v" },
              rank: { $rank: {} },
              dense: { $denseRank: {} },
              n: { $documentNumber: {} },
              next: { $shift: { output: "$v", by: 1, default: "none" } },
            },
          },
        },
      ],
      [
        { g: "a", v: 2 },
        { g: "b", v: 9 },
        { g: "a", v: 1 },
        { g: "a", v: 2 },
      ],
      [
        { g: "a", v: 1, run: 1, near: 1.5, all: 2, rank: 1, dense: 1, n: 1, next: 2 },
        { g: "a", v: 2, run: 3, near: 5 / 3, all: 2, rank: 2, dense: 2, n: 2, next: 2 },
        { g: "a", v: 2, run: 5, near: 2, all: 2, rank: 2, dense: 2, n: 3, next: "none" },
        { g: "b", v: 9, run: 9, near: 9, all: 9, rank: 1, dense: 1, n: 1, next: "none" },
      ],
    ],
  ])("%j", (stages, documents, results) => {
    expect(run(stages, documents)).toEqual(results);
  });
});

test("sums are exact, whatever their types", () => {
  const sum = (values: unknown[]) => {
    const documents = exactly(values.map((v) => ({ v })));
    const [result] = stagesOf([{ $group: { _id: null, sum: { $sum: "$v" } } }], { read: () => [] })(
      documents,
    );
    return String(result?.["sum"]);
  };
  expect(sum([Long.fromString("9007199254740993"), 1])).toBe("9007199254740994");
  expect(sum([Decimal128.fromString("0.1"), Decimal128.fromString("0.2")])).toBe("0.3");
  expect(sum([2 ** 31 - 1, 1])).toBe("2147483648");
  expect(sum([0.5, 1])).toBe("1.5");
});

test("a sample is some of the documents", () => {
  const documents = Array.from({ length: 20 }, (_, i) => ({ i }));
  const found = run([{ $sample: { size: 5 } }], documents).map(({ i }) => i);
  expect(new Set(found).size).toBe(5);
  expect(run([{ $sample: { size: 50 } }], documents)).toHaveLength(20);
});

describe("refused", () => {
  test.each<[Document, number]>([
    [{ $match: 1 }, 15959],
    [{ $match: { $text: { $search: "x" } } }, 17313],
    [{ $sort: {} }, 15976],
    [{ $limit: 0 }, 15958],
    [{ $project: {} }, 51272],
    [{ $group: { n: { $sum: 1 } } }, 15955],
    [{ $group: { _id: 1, n: 1 } }, 40234],
    [{ $group: { _id: 1, n: { $avg: "$d" } } }, 238],
    [{ $unwind: "a" }, 28818],
    [{ $unwind: { path: "$a", foo: 1 } }, 28811],
    [{ $bucket: { groupBy: "$a", boundaries: [5, 1] } }, 40194],
    [{ $lookup: { from: "x", as: "y" } }, 9],
    [{ $lookup: { from: "x", as: "y", pipeline: [{ $foo: 1 }] } }, 40324],
    [{ $lookup: { from: "x", as: "y", pipeline: [], foo: 1 } }, 9],
    [{ $facet: { a: [{ $facet: { b: [] } }] } }, 40600],
    [
      { $setWindowFields: { sortBy: { a: 1 }, output: { x: { $sum: "$a", window: { range: [0, 1] } } } } },
      238,
    ],
    [{ $setWindowFields: { output: { x: { $rank: {} } } } }, 5371602],
    [{ $replaceRoot: { newRoot: "$a" } }, 40228],
    [{ $merge: "x" }, 40601],
    [{ a: 1 }, 40324],
    [{ $match: {}, $limit: 1 }, 40323],
  ])("%j: %i", (stage, code) => {
    const documents = [{ a: 1, d: Decimal128.fromString("1") }];
    expect(() => run([stage, { $limit: 1 }], documents)).toThrow(expect.objectContaining({ code }));
  });
});
