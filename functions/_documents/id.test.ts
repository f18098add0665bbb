import assert from "node:assert/strict";
import { newId } from "./id.ts";

Deno.test("ids are UUIDs of version 7, in the order in which they were made", () => {
  const ids = Array.from({ length: 10_000 }, () => newId());
  assert.deepEqual(ids, ids.toSorted());
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids.slice(0, 100)) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  const later = newId(Date.now() + 86_400_000);
  assert.ok(newId() > later, "also when the clock is set back");
});
