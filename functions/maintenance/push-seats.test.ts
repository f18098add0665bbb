import assert from "node:assert/strict";
import { pushSeats } from "./push-seats.ts";

/** What Stripe is told of an organization of three members, that has so many seats and such an invoice. */
async function toldOf(quantity: number, status: string, latest_revision: string | null = null) {
  const told: unknown[] = [];
  const client = {
    subscriptions: {
      retrieve: () => Promise.resolve({ items: { data: [{ current_period_start: 1 }] } }),
      update: (id: string, change: object) => Promise.resolve(told.push([id, change])),
    },
    invoices: {
      list: () => Promise.resolve({ data: [{ status: "paid" }, { status, latest_revision }] }),
    },
  };
  const row = {
    livemode: false,
    stripe_subscription_id: "sub_1",
    stripe_item_id: "si_1",
    quantity,
    members: 3,
  };
  const admin = { rpc: () => Promise.resolve({ data: [row], error: null }) };
  const account = { livemode: false, configured: true, client: () => Promise.resolve(client) };
  const entry = { id: 1, organization_id: "o", payload: {}, attempts: 1 };
  assert.equal(await pushSeats(account as never).consume(entry, () => false, admin as never), true);
  return told;
}

const told = (proration_behavior: string) => [
  ["sub_1", { items: [{ id: "si_1", quantity: 3 }], proration_behavior }],
];

Deno.test("Stripe hears of the members, and charges or credits the rest of the period", async () => {
  assert.deepEqual(await toldOf(2, "paid"), told("create_prorations"));
  assert.deepEqual(await toldOf(4, "paid"), told("create_prorations"));
  assert.deepEqual(await toldOf(4, "void", "in_2"), told("create_prorations"));
  assert.deepEqual(await toldOf(3, "paid"), []);
});

Deno.test("seats that nobody has paid for are not credited, and new ones are charged", async () => {
  for (const status of ["draft", "open", "uncollectible", "void"]) {
    assert.deepEqual(await toldOf(4, status), told("none"));
    assert.deepEqual(await toldOf(2, status), told("create_prorations"));
  }
});
