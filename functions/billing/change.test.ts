import assert from "node:assert/strict";
import { checkPreview, itemChanges } from "./change.ts";

const item = (id: string, price_id: string, kind: "plan" | "addon" | null, metered = false) => ({
  id,
  price_id,
  plan_key: kind && price_id,
  kind,
  quantity: 1,
  metered,
});
const items = [
  item("si_used", "pro_by_usage", "plan", true),
  item("si_plan", "pro", "plan"),
  item("si_more", "more", "addon"),
  item("si_old", "old", "addon"),
  item("si_special", "special", null),
  item("si_special_use", "special_use", null, true),
];

Deno.test("the plan's item gets the new price, add-ons come, stay and go, what is not ours is not touched", () => {
  const changes = itemChanges(items, {
    plan: { price: "business", quantity: 1 },
    metered: ["business_by_usage"],
    addons: [{ price: "more", quantity: 4 }, { price: "new", quantity: 1 }],
  });
  assert.deepEqual(changes, [
    { id: "si_plan", price: "business", quantity: 1 },
    { id: "si_used", deleted: true },
    { price: "business_by_usage" },
    { id: "si_more", price: "more", quantity: 4 },
    { price: "new", quantity: 1 },
    { id: "si_old", deleted: true },
  ]);
});

Deno.test("a subscription without a plan of ours gets one", () => {
  assert.deepEqual(itemChanges([], { plan: { price: "pro", quantity: 1 }, metered: [], addons: [] }), [
    { price: "pro", quantity: 1 },
  ]);
});

Deno.test("who changes seats alone keeps the prices by usage that were bought with the plan", () => {
  const changes = itemChanges(items, {
    plan: { price: "pro", quantity: 5 },
    metered: ["pro_by_usage_dearer"],
    addons: [],
  });
  assert.deepEqual(changes.slice(0, 2), [
    { id: "si_plan", price: "pro", quantity: 5 },
    { id: "si_more", deleted: true },
  ]);
});

Deno.test("a preview holds for an hour, and until something is billed", () => {
  const second = 1_800_000_000;
  const now = second * 1000 + 500;
  const check = (moment: number, billedAt: number) => checkPreview(moment, billedAt, now);
  for (const [given, billedAt] of [[-3600, -9000], [60, -9000], [-20, -20], [5, 5]] as const) {
    check(second + given, second + billedAt);
  }
  for (const [given, billedAt] of [[-3601, -9000], [61, -9000], [-21, -20], [0, 5]] as const) {
    assert.throws(() => check(second + given, second + billedAt), { code: "preview_expired" });
  }
});
