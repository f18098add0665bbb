import assert from "node:assert/strict";
import { parseEvent, targetOf } from "./event.ts";

const target = (type: string, object: Record<string, unknown>) =>
  targetOf(parseEvent({ id: "evt_1", object: "event", type, created: 1, livemode: false, data: { object } }));

Deno.test("each kind of event leads to the object that it may have changed", () => {
  const subscription = { id: "sub_1", object: "subscription", customer: { id: "cus_1", object: "customer" } };
  const ofSubscription = { kind: "subscription", id: "sub_1", customerId: "cus_1" };
  for (const what of ["created", "updated", "deleted", "paused", "resumed", "trial_will_end", "some_day"]) {
    assert.deepEqual(target(`customer.subscription.${what}`, subscription), ofSubscription);
  }
  const invoice = { id: "in_1", object: "invoice", customer: "cus_1" };
  for (const what of ["created", "finalized", "paid", "payment_failed", "voided", "deleted"]) {
    assert.deepEqual(target(`invoice.${what}`, invoice), {
      kind: "invoice",
      id: "in_1",
      customerId: "cus_1",
    });
  }
  const session = { id: "cs_1", object: "checkout.session", customer: "cus_1", subscription: "sub_1" };
  assert.deepEqual(target("checkout.session.completed", session), ofSubscription);
  assert.deepEqual(target("customer.deleted", { id: "cus_1", object: "customer" }), {
    kind: "customer",
    id: "cus_1",
    customerId: "cus_1",
  });
});

Deno.test("an event that lies about its types is none", () => {
  const honest = {
    id: "evt_1",
    object: "event",
    type: "invoice.paid",
    created: 1,
    livemode: false,
    data: { object: { id: "in_1", object: "invoice", customer: "cus_1" } },
  };
  assert.equal(parseEvent(honest).id, "evt_1");
  for (
    const lie of [
      ...["", "1", null, -1, 1.5, 1e300, {}].map((created) => ({ created })),
      ...[0, "false", null].map((livemode) => ({ livemode })),
      ...["evt_", "evt_1'", "sub_1", 1, `evt_${"x".repeat(201)}`].map((id) => ({ id })),
      ...[null, 1, []].map((type) => ({ type })),
      ...[{}, { account: 1 }].map((account) => ({ account })),
      ...[1, {}, "in_1"].map((id) => ({ data: { object: { id, object: 2 } } })),
      ...[1, [], {}].map((customer) => ({ data: { object: { ...honest.data.object, customer } } })),
      { object: "v2.core.event" },
      { data: null },
    ]
  ) {
    assert.throws(() => parseEvent({ ...honest, ...lie }), { code: "malformed_body" }, JSON.stringify(lie));
  }
});

Deno.test("what changes nothing that is stored leads nowhere", () => {
  for (
    const [type, object] of [
      ["invoice.upcoming", { id: "upcoming_in_1", object: "invoice", customer: "cus_1" }],
      ["checkout.session.expired", { id: "cs_1", object: "checkout.session", subscription: null }],
      ["customer.updated", { id: "cus_1", object: "customer" }],
      ["customer.subscription.updated", { id: "si_1", object: "subscription_item" }],
      ["balance.available", { object: "balance" }],
    ] as const
  ) {
    assert.equal(target(type, object), undefined);
  }
});
