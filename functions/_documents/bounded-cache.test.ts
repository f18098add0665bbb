import assert from "node:assert/strict";
import { boundedCache } from "./bounded-cache.ts";

Deno.test("the least lately used go first, and no more is kept than fits", () => {
  const cache = boundedCache<number>(10);
  cache.set("a", 1, 4);
  cache.set("b", 2, 4);
  assert.equal(cache.get("a"), 1);
  cache.set("c", 3, 4);
  assert.deepEqual(["a", "b", "c"].map(cache.get), [1, undefined, 3]);
  cache.set("a", 4, 6);
  assert.deepEqual(["a", "b", "c"].map(cache.get), [4, undefined, 3]);
  cache.set("large", 5, 11);
  assert.deepEqual(["a", "large", "c"].map(cache.get), [4, undefined, 3]);
});
