import { Decimal128, Long, ObjectId } from "bson";
import { describe, expect, test } from "vitest";
import { type Document, decode, encode } from "../values.ts";
import { schemaCheck } from "./schema.ts";

function violation(schema: Document, value: unknown) {
  const { schema: exact, value: own } = decode(encode({ schema, value }));
  return schemaCheck(exact)(own, "");
}

describe("a schema", () => {
  test.each<[schema: Document, fine: unknown[], wrong: unknown[]]>([
    [{ bsonType: "string" }, ["a"], [1, null]],
    [{ bsonType: ["int", "null"] }, [1, null], [1.5, "a"]],
    [{ bsonType: "number" }, [1, 1.5, Long.ONE, Decimal128.fromString("1")], ["1"]],
    [{ bsonType: "long" }, [Long.ONE], [1]],
    [{ bsonType: "objectId" }, [new ObjectId()], ["x"]],
    [{ type: "boolean" }, [true], [0]],
    [{ enum: ["a", 1, null] }, ["a", 1, null], ["b", 2]],
    [{ required: ["a"] }, [{ a: null }, "not an object"], [{}]],
    [{ properties: { a: { bsonType: "int" } } }, [{ a: 1 }, {}, { b: "x" }], [{ a: "x" }]],
    [{ properties: { a: {} }, additionalProperties: false }, [{ a: 1 }], [{ b: 1 }]],
    [{ additionalProperties: { bsonType: "int" } }, [{ a: 1 }], [{ a: "x" }]],
    [
      { patternProperties: { "^n_": { bsonType: "int" } }, additionalProperties: false },
      [{ n_a: 1 }],
      [{ n_a: "x" }, { a: 1 }],
    ],
    [{ minProperties: 1, maxProperties: 2 }, [{ a: 1 }], [{}, { a: 1, b: 1, c: 1 }]],
    [{ dependencies: { a: ["b"] } }, [{ a: 1, b: 1 }, {}], [{ a: 1 }]],
    [{ items: { bsonType: "int" } }, [[1, 2], []], [[1, "x"]]],
    [{ items: [{ bsonType: "int" }], additionalItems: false }, [[1]], [[1, 2], ["x"]]],
    [{ minItems: 1, maxItems: 2, uniqueItems: true }, [[1], [1, 2]], [[], [1, 2, 3], [1, 1]]],
    [{ minimum: 1, maximum: 3 }, [1, 3, Decimal128.fromString("2.5"), "x"], [0.5, 4]],
    [{ minimum: 1, exclusiveMinimum: true }, [1.1], [1]],
    [{ maximum: Long.fromString("9007199254740992") }, [1], [Long.fromString("9007199254740993")]],
    [{ multipleOf: 3 }, [6], [7]],
    [{ minLength: 2, maxLength: 3 }, ["ab", "😀😀"], ["a", "abcd"]],
    [{ pattern: "^[a-z]+$" }, ["abc", 1], ["A"]],
    [{ allOf: [{ minimum: 1 }, { maximum: 2 }] }, [1], [3]],
    [{ anyOf: [{ bsonType: "int" }, { bsonType: "null" }] }, [1, null], ["x"]],
    [{ oneOf: [{ minimum: 1 }, { maximum: 5 }] }, [0, 6], [3]],
    [{ not: { bsonType: "int" } }, ["x"], [1]],
    [{ title: "a", description: "b" }, [1], []],
  ])("%j", (schema, fine, wrong) => {
    for (const value of fine) expect(violation(schema, value), JSON.stringify(value)).toBeUndefined();
    for (const value of wrong) expect(violation(schema, value), JSON.stringify(value)).toBeDefined();
  });

  test("names the rule and the place", () => {
    const schema = { properties: { list: { items: { properties: { name: { bsonType: "string" } } } } } };
    expect(violation(schema, { list: [{ name: "a" }, { name: 1 }] })).toEqual({
      keyword: "bsonType",
      path: "list.1.name",
    });
    expect(violation({ properties: { a: { required: ["b"] } } }, { a: {} })).toEqual({
      keyword: "required",
      path: "a.b",
    });
  });

  test.each<[Document]>([
    [{ bsonTyp: "int" }],
    [{ bsonType: "integer" }],
    [{ type: "integer" }],
    [{ $ref: "#" }],
    [{ format: "email" }],
    [{ required: [] }],
    [{ minLength: -1 }],
    [{ exclusiveMinimum: true }],
    [{ properties: { a: 1 } }],
    [{ items: { enum: [] } }],
  ])("%j is none", (schema) => {
    expect(() => violation(schema, 1)).toThrow(expect.objectContaining({ name: "MongoError" }));
  });
});
