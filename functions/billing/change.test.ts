import assert from "node:assert/strict";
import { checkPreview, itemChanges } from "./change.ts";

const items = [
  { id: "si_plan", price_id: "pro", plan_key: "pro", kind: "plan" as const, quantity: 3 },
  { id: "si_more", price_id: "more", plan_key: "more", kind: "addon" as const, quantity: 1 },
  { id: "si_old", price_id: "old", plan_key: "old", kind: "addon" as const, quantity: 1 },
  { id: "si_special", price_id: "special", plan_key: null, kind: null, quantity: 1 },
];

Deno.test("the plan's item gets the new price, add-ons come, stay and go, what is not ours is not touched", () => {
  const changes = itemChanges(items, {
    plan: { price: "business", quantity: 1 },
    addons: [{ price: "more", quantity: 4 }, { price: "new", quantity: 1 }],
  });
  assert.deepEqual(changes, [
    { id: "si_plan", price: "business", quantity: 1 },
    { id: "si_more", price: "more", quantity: 4 },
    { price: "new", quantity: 1 },
    { id: "si_old", deleted: true },
  ]);
});

Deno.test("a subscription without a plan of ours gets one", () => {
  assert.deepEqual(itemChanges([], { plan: { price: "pro", quantity: 1 }, addons: [] }), [
    { price: "pro", quantity: 1 },
  ]);
});

Deno.test("a preview holds for an hour", () => {
  const now = 1_800_000_000_500;
  checkPreview(1_800_000_000 - 3600, now);
  checkPreview(1_800_000_060, now);
  for (const given of [1_800_000_000 - 3601, 1_800_000_061, 0]) {
    assert.throws(() => checkPreview(given, now), { code: "preview_expired" });
  }
});
