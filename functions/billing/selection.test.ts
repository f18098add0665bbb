import assert from "node:assert/strict";
import { AppError } from "../_shared/errors.ts";
import type { Price, SeatBilling } from "./backend.ts";
import { choose } from "./selection.ts";

const price = (id: string, changes: Partial<Price> = {}): Price => ({
  id,
  interval: "month",
  currency: "eur",
  kind: "plan",
  seatBilling: "included",
  ...changes,
});
const sold = [
  price("plan"),
  price("bought", { seatBilling: "bought" }),
  price("per_member", { seatBilling: "per_member" }),
  price("addon", { kind: "addon" }),
  price("yearly", { kind: "addon", interval: "year" }),
  price("dollars", { kind: "addon", currency: "usd" }),
];
const backend = {
  prices: (ids: string[]) => Promise.resolve(sold.filter(({ id }) => ids.includes(id))),
};
const with7 = { seats: { used: 7, limit: null, billing: "included" as SeatBilling } };

const choice = async (selection: Parameters<typeof choose>[2], context = with7) =>
  await choose(backend, context, selection, false);
const refused = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

Deno.test("seats: the plan has its own, they are bought, or they follow the members", async () => {
  const quantity = async (price_id: string, quantity?: number) =>
    (await choice({ price_id, ...(quantity && { quantity }) })).plan.quantity;
  assert.deepEqual(
    [
      await quantity("plan"),
      await quantity("plan", 9),
      await quantity("bought"),
      await quantity("bought", 9),
    ],
    [1, 1, 7, 9],
  );
  assert.deepEqual([await quantity("per_member"), await quantity("per_member", 99)], [7, 7]);
  await assert.rejects(quantity("bought", 6), refused("too_few_seats"));
});

Deno.test("an organization without members buys a seat", async () => {
  const empty = { seats: { ...with7.seats, used: 0 } };
  assert.equal((await choice({ price_id: "bought" }, empty)).plan.quantity, 1);
});

Deno.test("a plan is a plan, an add-on an add-on, and both are sold", async () => {
  assert.deepEqual(await choice({ price_id: "plan", addons: [{ price_id: "addon", quantity: 2 }] }), {
    plan: { price: "plan", quantity: 1 },
    addons: [{ price: "addon", quantity: 2 }],
  });
  await assert.rejects(choice({ price_id: "addon" }), refused("unknown_price"));
  await assert.rejects(choice({ price_id: "gone" }), refused("unknown_price"));
  await assert.rejects(
    choice({ price_id: "plan", addons: [{ price_id: "plan" }] }),
    refused("unknown_price"),
  );
});

Deno.test("one interval, one currency, each price once", async () => {
  for (const addons of [["yearly"], ["dollars"], ["addon", "addon"]]) {
    await assert.rejects(
      choice({ price_id: "plan", addons: addons.map((price_id) => ({ price_id })) }),
      refused("prices_do_not_mix"),
    );
  }
});
