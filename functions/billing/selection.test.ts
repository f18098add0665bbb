import assert from "node:assert/strict";
import { AppError } from "../_shared/errors.ts";
import type { BillingContext, Price } from "./backend.ts";
import { choose } from "./selection.ts";

const price = (id: string, changes: Partial<Price> = {}): Price => ({
  id,
  interval: "month",
  currency: "eur",
  kind: "plan",
  seatBilling: "included",
  mostSeats: null,
  metered: [],
  grants: [],
  overage: [],
  ...changes,
});
const sold = [
  price("plan"),
  price("bought", { seatBilling: "bought" }),
  price("few", { seatBilling: "bought", mostSeats: 10 }),
  price("per_member", { seatBilling: "per_member" }),
  price("addon", { kind: "addon", grants: ["requests.per_month"] }),
  price("metered", {
    metered: ["by_usage"],
    grants: ["requests.per_month"],
    overage: ["requests.per_month"],
  }),
  price("yearly", { kind: "addon", interval: "year" }),
  price("dollars", { kind: "addon", currency: "usd" }),
];
const backend = {
  prices: (ids: string[]) => Promise.resolve(sold.filter(({ id }) => ids.includes(id))),
};
const with7: Pick<BillingContext, "seats" | "subscription"> = {
  seats: { used: 7, limit: null, billing: "included" },
  subscription: null,
};

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
  assert.equal(await quantity("few", 10), 10);
  await assert.rejects(quantity("few", 11), refused("too_many_seats"));
});

const subscribed: typeof with7 = {
  seats: { used: 7, limit: 9, billing: "bought" },
  subscription: {
    id: "sub_1",
    status: "active",
    currency: "eur",
    quantity: 9,
    cancel_at: null,
    cancel_at_period_end: false,
    items: [],
  },
};

Deno.test("who changes something else keeps the seats they bought, where seats are sold", async () => {
  const quantity = async (price_id: string) => (await choice({ price_id }, subscribed)).plan.quantity;
  assert.deepEqual([await quantity("bought"), await quantity("plan"), await quantity("per_member")], [
    9,
    1,
    7,
  ]);
});

Deno.test("a plan brings its prices by usage, and no add-on raises what it bills beyond", async () => {
  assert.deepEqual((await choice({ price_id: "metered" })).metered, ["by_usage"]);
  assert.deepEqual((await choice({ price_id: "plan", addons: [{ price_id: "addon" }] })).metered, []);
  const both = choice({ price_id: "metered", addons: [{ price_id: "addon" }] });
  await assert.rejects(both, refused("prices_do_not_mix"));
});

Deno.test("a subscription keeps its currency", async () => {
  const dollars = { seats: with7.seats, subscription: { ...subscribed.subscription!, currency: "usd" } };
  await assert.rejects(choice({ price_id: "plan" }, dollars), refused("prices_do_not_mix"));
});

Deno.test("an organization without members buys a seat", async () => {
  const empty = { ...with7, seats: { ...with7.seats, used: 0 } };
  assert.equal((await choice({ price_id: "bought" }, empty)).plan.quantity, 1);
});

Deno.test("a plan is a plan, an add-on an add-on, and both are sold", async () => {
  assert.deepEqual(await choice({ price_id: "plan", addons: [{ price_id: "addon", quantity: 2 }] }), {
    plan: { price: "plan", quantity: 1 },
    metered: [],
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
