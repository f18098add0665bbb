import assert from "node:assert/strict";
import { AppError } from "../_shared/errors.ts";
import { requireStorable } from "./storable.ts";
import { anyOf, beginsWith, between, Condition, type Fields, oneOf, toFilter } from "./where.ts";

type Doc = { _id: string; name: string; at: Date };
const filter = (where: unknown) => toFilter<Doc>(where as Fields<Doc>);
const isRefused = (error: unknown) => error instanceof AppError && error.code === "validation_failed";

Deno.test("values are compared, never obeyed", () => {
  assert.deepEqual(filter({ _id: "a", name: null }), [{ _id: { $eq: "a" }, name: { $eq: null } }]);
  const hostile = [
    { $ne: null },
    { $gt: "" },
    ["a"],
    undefined,
    () => true,
    /a/,
    Number.NaN,
    new Date("x"),
    {},
  ];
  for (const value of hostile) {
    assert.throws(() => filter({ _id: value }), isRefused);
    assert.throws(() => oneOf([value as string]), isRefused);
    assert.throws(() => between(value as string, "z"), isRefused);
    assert.throws(() => beginsWith(value as string), isRefused);
  }
});

Deno.test("names are the program's: no operator, no tenant, no prototype", () => {
  for (const name of ["$where", "$or", "organization_id", "__proto__.a", "a.$b", "a..b", "", "a b"]) {
    assert.throws(() => filter(JSON.parse(`{"${name}": "x"}`)), isRefused, name);
  }
});

Deno.test("what JSON says of itself is no condition", () => {
  const forged = Object.setPrototypeOf({ operators: { $ne: null } }, Condition.prototype);
  assert.throws(() => filter({ _id: forged }), TypeError);
  assert.deepEqual(filter({ name: beginsWith("a.b*") }), [{ name: { $regex: "^a\\.b\\*" } }]);
});

Deno.test("all of a list must hold, one of its alternatives", () => {
  assert.deepEqual(toFilter<Doc>([{ name: "a" }, anyOf<Doc>({ _id: "1" }, { _id: "2" })]), [
    { name: { $eq: "a" } },
    { $or: [{ _id: { $eq: "1" } }, { _id: { $eq: "2" } }] },
  ]);
});

Deno.test("what is stored has harmless names and an end", () => {
  requireStorable({ a: [1, "x", null, new Date(), new Uint8Array(2), { b: true }] }, "doc");
  let deep: unknown = 1;
  for (let level = 0; level < 20; level++) deep = [deep];
  const hostile = [
    { $set: 1 },
    { "a.b": 1 },
    { "": 1 },
    { "a\0": 1 },
    JSON.parse('{"__proto__": 1}'),
    deep,
    undefined,
    () => 1,
    1n,
    Number.POSITIVE_INFINITY,
    new Map(),
  ];
  for (const value of hostile) assert.throws(() => requireStorable({ value }, "doc"), isRefused);
});
