// Whatever a command asks for, it is done or refused by a code of MongoDB's; nothing ends in an internal error.
import {
  Binary,
  BSONRegExp,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from "bson";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { openEngine } from "../engine.ts";
import { type Document, decode, encode } from "../values.ts";
import { dispatch } from "./dispatch.ts";

const engine = openEngine({ directory: undefined, durable: false });
afterAll(() => engine.close());

const run = (command: Document): Document => {
  const reply = dispatch(engine, decode(encode({ ...command, $db: "test" })), undefined);
  return reply instanceof Uint8Array ? decode(reply) : reply;
};

beforeEach(() => {
  run({ dropDatabase: 1 });
  run({
    createIndexes: "c",
    indexes: [
      { key: { a: 1 }, name: "a" },
      { key: { b: -1, "a.c": 1 }, name: "b" },
    ],
  });
  run({
    insert: "c",
    documents: [
      { _id: 1, a: 1 },
      { _id: 2, a: [1, { c: "x" }], b: null },
      { _id: 3, b: { c: [[1]] } },
    ],
  });
});

const INTERNAL_ERROR = 1;

const names = [
  "a",
  "b",
  "c",
  "a.c",
  "a.0",
  "a.$",
  "a.$[]",
  "a.$[e]",
  "_id",
  "",
  ".",
  "a..b",
  "$a",
  "__proto__",
  "constructor",
  "0",
  "q",
  "u",
  "$eq",
  "$ne",
  "$gt",
  "$gte",
  "$lt",
  "$lte",
  "$in",
  "$nin",
  "$and",
  "$or",
  "$nor",
  "$not",
  "$exists",
  "$type",
  "$regex",
  "$options",
  "$elemMatch",
  "$all",
  "$size",
  "$mod",
  "$expr",
  "$text",
  "$search",
  "$where",
  "$jsonSchema",
  "$bitsAllSet",
  "$comment",
  "$geoWithin",
  "$set",
  "$unset",
  "$inc",
  "$mul",
  "$min",
  "$max",
  "$push",
  "$each",
  "$slice",
  "$sort",
  "$position",
  "$pull",
  "$pullAll",
  "$pop",
  "$addToSet",
  "$rename",
  "$currentDate",
  "$setOnInsert",
  "$bit",
  "$match",
  "$group",
  "$project",
  "$addFields",
  "$unwind",
  "$lookup",
  "$facet",
  "$limit",
  "$skip",
  "$count",
  "$bucket",
  "$sum",
  "$avg",
  "$first",
  "$add",
  "$cond",
  "$concat",
  "$map",
  "$filter",
  "$let",
  "$dateToString",
  "$meta",
  "$literal",
  "$toString",
  "path",
  "from",
  "as",
  "localField",
  "foreignField",
  "pipeline",
  "let",
  "input",
  "in",
  "vars",
  "key",
  "name",
  "unique",
  "bsonType",
  "properties",
  "required",
  "enum",
  "newRoot",
  "boundaries",
  "groupBy",
]; // prettier-ignore

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    1,
    -1,
    2.5,
    "",
    "a",
    "$a",
    "$$ROOT",
    "$$x",
    "$a.c",
    "a.b",
    "(",
    "text",
    new Date(0),
    new ObjectId(),
    new Double(Number.NaN),
    new Int32(7),
    Long.MAX_VALUE,
    Decimal128.fromString("1.5"),
    new Binary(Buffer.from("x")),
    new BSONRegExp("a", "i"),
    new BSONRegExp("(", "x"),
    new MinKey(),
    new MaxKey(),
    new Timestamp({ t: 1, i: 1 }),
    new Code("x"),
    [],
    {},
  ),
  fc.integer(),
  fc.string({ maxLength: 5 }),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    leaf,
    fc.dictionary(fc.constantFrom(...names), tie("tree"), { maxKeys: 3, noNullPrototype: true }),
    fc.array(tie("tree"), { maxLength: 3 }),
  ),
}));
const object = fc.dictionary(fc.constantFrom(...names), tree, { maxKeys: 3, noNullPrototype: true });

const command = fc.oneof(
  fc.record(
    { find: fc.constant("c"), filter: object, projection: object, sort: object },
    { requiredKeys: ["find"] },
  ),
  fc.record(
    { find: fc.constant("c"), filter: tree, hint: tree, skip: leaf, limit: leaf, batchSize: leaf, let: tree },
    { requiredKeys: ["find"] },
  ),
  fc.record({ distinct: fc.constant("c"), key: fc.constantFrom(...names), query: object }),
  fc.record({ count: fc.constant("c"), query: tree }),
  fc.record({
    aggregate: fc.constant("c"),
    pipeline: fc.array(object, { maxLength: 3 }),
    cursor: fc.constant({}),
  }),
  fc.record({ insert: fc.constant("c"), documents: fc.array(object, { minLength: 1, maxLength: 2 }) }),
  fc.record({
    update: fc.constant("c"),
    updates: fc.array(
      fc.record(
        { q: object, u: tree, multi: fc.boolean(), upsert: fc.boolean(), arrayFilters: tree },
        { requiredKeys: ["q", "u"] },
      ),
      { minLength: 1, maxLength: 2 },
    ),
  }),
  fc.record({
    delete: fc.constant("c"),
    deletes: fc.array(fc.record({ q: object, limit: fc.constantFrom(0, 1) }), { minLength: 1 }),
  }),
  fc.record({
    findAndModify: fc.constant("c"),
    query: object,
    update: object,
    fields: object,
    new: fc.boolean(),
  }),
  fc.record({ create: fc.constantFrom("d", "e"), validator: object }),
  fc.record({ collMod: fc.constant("c"), validator: object }),
  fc.record({
    createIndexes: fc.constant("c"),
    indexes: fc.array(
      fc.record(
        {
          key: object,
          name: fc.constantFrom("x", "y"),
          partialFilterExpression: object,
          expireAfterSeconds: leaf,
        },
        { requiredKeys: ["key", "name"] },
      ),
      { minLength: 1 },
    ),
  }),
  fc.record({ explain: fc.record({ find: fc.constant("c"), filter: object, sort: object }) }),
  object,
); // prettier-ignore

test("10,000 commands of random parts", () => {
  const told = vi.spyOn(console, "error");
  const codes = new Map<unknown, number>();
  fc.assert(
    fc.property(command, (given) => {
      let sent: Document;
      try {
        sent = decode(encode({ ...(given as Document), $db: "test" }));
      } catch {
        return; // nothing that can be sent
      }
      const reply = dispatch(engine, sent, undefined);
      const { ok, code } = reply instanceof Uint8Array ? decode(reply) : reply;
      codes.set(code ?? "ok", (codes.get(code ?? "ok") ?? 0) + 1);
      expect(Number(ok)).toBe(code === undefined ? 1 : 0);
      expect(code).not.toBe(INTERNAL_ERROR);
    }),
    { numRuns: 10_000 },
  );
  expect(told).not.toHaveBeenCalled();
  expect(codes.get("ok")).toBeGreaterThan(500);
});

describe("refused, rather than passed over", () => {
  test.each<[string, Document, number]>([
    ["an unknown command", { nosuch: 1 }, 59],
    ["a command of MongoDB's that is not here", { createUser: "me" }, 115],
    ["an unknown field of a command", { find: "c", filter: {}, fitler: {} }, 40415],
    ["an unknown query operator", { find: "c", filter: { a: { $foo: 1 } } }, 2],
    ["an unknown top level operator", { find: "c", filter: { $foo: 1 } }, 2],
    ["$where", { find: "c", filter: { $where: "true" } }, 238],
    ["a geospatial query", { find: "c", filter: { a: { $near: [0, 0] } } }, 238],
    ["$text without an index", { find: "c", filter: { $text: { $search: "x" } } }, 27],
    ["a collation", { find: "c", collation: { locale: "de" } }, 238],
    ["a tailable cursor", { find: "c", tailable: true }, 238],
    ["a sort that is none", { find: "c", sort: { a: 2 } }, 15975],
    ["a hint at no index", { find: "c", hint: "nosuch" }, 2],
    ["a projection that includes and excludes", { find: "c", projection: { a: 1, b: 0 } }, 31254],
    ["a projection onto itself", { find: "c", projection: { a: 1, "a.b": 1 } }, 31249],
    ["a regular expression that JavaScript has not", { find: "c", filter: { a: { $regex: "(?i)a" } } }, 2],
    ["the option x of one", { find: "c", filter: { a: { $regex: "a", $options: "x" } } }, 238],
    ["an unknown stage", { aggregate: "c", pipeline: [{ $foo: 1 }], cursor: {} }, 40324],
    ["a stage that is not here", { aggregate: "c", pipeline: [{ $densify: {} }], cursor: {} }, 238],
    ["a change stream", { aggregate: "c", pipeline: [{ $changeStream: {} }], cursor: {} }, 238],
    [
      "an unknown expression",
      { aggregate: "c", pipeline: [{ $project: { x: { $foo: 1 } } }], cursor: {} },
      168,
    ],
    [
      "an expression that is not here",
      { aggregate: "c", pipeline: [{ $project: { x: { $sin: 1 } } }], cursor: {} },
      238,
    ],
    [
      "an unknown accumulator",
      { aggregate: "c", pipeline: [{ $group: { _id: 1, x: { $foo: 1 } } }], cursor: {} },
      15952,
    ],
    [
      "an accumulator that is not here",
      { aggregate: "c", pipeline: [{ $group: { _id: 1, x: { $topN: 1 } } }], cursor: {} },
      238,
    ],
    [
      "$out that is not the last stage",
      { aggregate: "c", pipeline: [{ $out: "d" }, { $limit: 1 }], cursor: {} },
      40601,
    ],
    ["an aggregation without a cursor", { aggregate: "c", pipeline: [] }, 9],
    ["an unknown update operator", { update: "c", updates: [{ q: {}, u: { $foo: { a: 1 } } }] }, 9],
    ["an unknown field of an update", { update: "c", updates: [{ q: {}, u: {}, sorted: 1 }] }, 40415],
    ["bypassing validation", { insert: "c", documents: [{}], bypassDocumentValidation: true }, 238],
    ["a read concern that is none", { find: "c", readConcern: { level: "best" } }, 9],
    ["a snapshot without a transaction", { find: "c", readConcern: { level: "snapshot" } }, 238],
    ["a write concern of three", { insert: "c", documents: [{}], writeConcern: { w: 3 } }, 100],
    ["a write concern with a tag", { insert: "c", documents: [{}], writeConcern: { w: "far" } }, 100],
    ["strict API", { find: "c", apiVersion: "1", apiStrict: true }, 238],
    ["a view", { create: "v", viewOn: "c", pipeline: [] }, 238],
    ["a time series", { create: "v", timeseries: { timeField: "at" } }, 238],
    ["a hashed index", { createIndexes: "c", indexes: [{ key: { a: "hashed" }, name: "x" }] }, 238],
    ["a wildcard index", { createIndexes: "c", indexes: [{ key: { "$**": 1 }, name: "x" }] }, 238],
    [
      "a text index with a language",
      { createIndexes: "c", indexes: [{ key: { a: "text" }, name: "x", default_language: "german" }] },
      238,
    ],
    [
      "an unknown option of an index",
      { createIndexes: "c", indexes: [{ key: { a: 1 }, name: "x", uniqe: true }] },
      197,
    ],
    [
      "a TTL index of two fields",
      { createIndexes: "c", indexes: [{ key: { a: 1, b: 1 }, name: "x", expireAfterSeconds: 1 }] },
      67,
    ],
    ["an unknown keyword of a schema", { create: "v", validator: { $jsonSchema: { typ: "object" } } }, 9],
    ["a name that no collection may have", { insert: "a$b", documents: [{}] }, 73],
    ["logging in", { saslStart: 1, mechanism: "SCRAM-SHA-256", payload: "" }, 18],
    [
      "a command of a transaction that nobody began",
      { find: "c", lsid: { id: new Binary(Buffer.alloc(16), 4) }, txnNumber: Long.ONE, autocommit: false },
      251,
    ],
  ])("%s", (_name, given, code) => {
    const reply = run(given);
    const found = reply["writeErrors"]?.[0]?.code ?? reply["code"];
    expect(Number(found)).toBe(code);
    if (reply["code"] !== undefined)
      expect(reply).toMatchObject({ ok: 0, errmsg: expect.any(String), codeName: expect.any(String) });
  });
});
