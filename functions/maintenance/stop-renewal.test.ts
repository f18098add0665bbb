import assert from "node:assert/strict";
import { stopRenewal } from "./stop-renewal.ts";

const DAY = 86_400;
const subscription = {
  id: "sub_1",
  status: "active",
  cancel_at: null as number | null,
  cancel_at_period_end: false,
  items: { data: [{ current_period_end: 30 * DAY }] },
  metadata: {} as Record<string, string>,
};
type Changes = Partial<typeof subscription>;

/** What Stripe is told of a subscription whose organization was closed, or restored. */
async function toldOf(closed: boolean, changes: Changes | "missing", livemode = false) {
  const told: unknown[] = [];
  const client = {
    subscriptions: {
      retrieve: () =>
        changes === "missing"
          ? Promise.reject(Object.assign(new Error("No such subscription"), { code: "resource_missing" }))
          : Promise.resolve({ ...subscription, ...changes }),
      update: (_id: string, change: object) => Promise.resolve(told.push(change)),
    },
  };
  const row = { stripe_subscription_id: "sub_1", livemode, closed };
  const admin = { rpc: () => Promise.resolve({ data: [row], error: null }) };
  const account = { livemode, configured: true, client: () => Promise.resolve(client) };
  const entry = { id: 1, organization_id: "o", payload: {}, attempts: 1 };
  assert.equal(await stopRenewal(account as never).consume(entry, () => false, admin as never), true);
  return told;
}

const stop = { cancel_at_period_end: true, metadata: { nectar_closed: "true" } };
const goOn = { cancel_at_period_end: false, metadata: { nectar_closed: "" } };

Deno.test("closed: the subscription ends with its period, unless it ends before, or has ended", async () => {
  assert.deepEqual(await toldOf(true, {}), [stop]);
  assert.deepEqual(await toldOf(true, { cancel_at: 31 * DAY }), [stop]);
  assert.deepEqual(await toldOf(true, { cancel_at: 30 * DAY }), []);
  assert.deepEqual(await toldOf(true, { cancel_at_period_end: true, cancel_at: 30 * DAY }), []);
  assert.deepEqual(await toldOf(true, { status: "canceled" }), []);
  assert.deepEqual(await toldOf(true, { status: "incomplete_expired" }), []);
  assert.deepEqual(await toldOf(true, "missing"), []);
});

Deno.test("a live subscription that the key does not find stays to be done", async () => {
  await assert.rejects(toldOf(true, "missing", true));
});

Deno.test("restored: what closing did is taken back, and no cancellation of somebody's own", async () => {
  const ending = { cancel_at_period_end: true, cancel_at: 30 * DAY };
  assert.deepEqual(await toldOf(false, { ...ending, metadata: { nectar_closed: "true" } }), [goOn]);
  assert.deepEqual(await toldOf(false, ending), []);
});
