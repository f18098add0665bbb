import { expect, test } from "vitest";
import { type ApiDocument, mergeDocuments } from "./openapi.ts";

const base: ApiDocument = { openapi: "3.1.0", info: { title: "All", version: "1" } };
const withPath = (path: string, schemas: Record<string, unknown> = {}): ApiDocument => ({
  ...base,
  paths: { [path]: { get: {} } },
  components: { schemas },
});

test("the result does not depend on the order", () => {
  const one = withPath("/a", { B: { type: "string" } });
  const two = withPath("/b", { A: { type: "number" } });
  const merged = mergeDocuments(base, [one, two]);
  expect(JSON.stringify(mergeDocuments(base, [two, one]))).toBe(JSON.stringify(merged));
  expect(Object.keys(merged.paths ?? {})).toEqual(["/a", "/b"]);
  expect(Object.keys(merged.components?.["schemas"] ?? {})).toEqual(["A", "B"]);
  expect(merged.info.title).toBe("All");
});

test("what several functions share stands there once", () => {
  const shared = { Error: { type: "object" } };
  const merged = mergeDocuments(base, [
    withPath("/a", shared),
    withPath("/b", { Error: { type: "object" } }),
  ]);
  expect(merged.components).toEqual({ schemas: shared });
});

test("one name for two things is refused", () => {
  const documents = [
    withPath("/a", { Item: { type: "object" } }),
    withPath("/b", { Item: { type: "string" } }),
  ];
  expect(() => mergeDocuments(base, documents)).toThrow("components.schemas Item has two meanings");
  expect(() => mergeDocuments(base, [withPath("/a"), { ...base, paths: { "/a": {} } }])).toThrow(
    "Path /a has two meanings",
  );
});
