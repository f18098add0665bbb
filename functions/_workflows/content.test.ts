import assert from "node:assert/strict";
import fc from "fast-check";
import { connectionsOf, contentOf } from "./content.ts";
import { diff } from "./diff.ts";
import { mergePatch } from "./merge-patch.ts";
import { CONNECTION, orderWorkflow, smallWorkflow } from "./testing.ts";

Deno.test("the hash is of what is said, not of how it is written", async () => {
  const workflow = orderWorkflow();
  const turned = Object.fromEntries(Object.entries(workflow).toReversed()) as typeof workflow;
  const content = await contentOf(workflow);
  assert.deepEqual(await contentOf(turned), content);
  assert.match(content.content_hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(JSON.parse(content.definition), workflow);
  assert.equal(content.route, "GET /orders/{}");
  assert.deepEqual(connectionsOf(workflow), [CONNECTION]);
  assert.notEqual((await contentOf(smallWorkflow())).content_hash, content.content_hash);
});

Deno.test("differences have places; what only moved is none", () => {
  const before = orderWorkflow();
  const after = structuredClone(before);
  after.steps.reverse();
  after.edges.reverse();
  assert.deepEqual(diff(before, after), []);

  const changed = structuredClone(before);
  changed.parameters?.push({ name: "more", type: "string", in: "query" });
  changed.edges.splice(4, 1);
  if (changed.steps[0]?.type === "sql") changed.steps[0].statement = "select 1";
  delete changed.cache;
  assert.deepEqual(diff(before, changed).map(({ kind, path }) => `${kind} ${path}`).sort(), [
    "added /parameters/more",
    "changed /steps/find/statement",
    "removed /cache",
    "removed /edges/shape",
  ]);
});

const json = fc.jsonValue({ maxDepth: 4 });
Deno.test("a document differs from itself in nothing, and from another in something", () => {
  fc.assert(fc.property(json, (value) => diff(value, structuredClone(value)).length === 0), { numRuns: 500 });
  fc.assert(
    fc.property(
      json,
      json,
      (one, other) =>
        JSON.stringify(one) === JSON.stringify(other) || diff({ a: one }, { b: other }).length === 2,
    ),
    { numRuns: 500 },
  );
});

Deno.test("merge patch does what RFC 7396 shows", () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a"], { a: "b", c: null }, { a: "b" }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b" }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of cases) assert.deepEqual(mergePatch(target, patch), expected);
  const polluting = JSON.parse('{"__proto__": {"polluted": true}}');
  assert.equal((mergePatch({}, polluting) as Record<string, unknown>)["polluted"], undefined);
});
