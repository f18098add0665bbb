import assert from "node:assert/strict";
import type Stripe from "stripe";
import { fetchObject, isMissing } from "./stripe-fetch.ts";

const missing = Object.assign(new Error("No such thing"), { code: "resource_missing" });

/** An account that has these customers, deleted ones too, and nothing else. */
const account = (...customers: string[]) =>
  ({
    subscriptions: { retrieve: () => Promise.reject(missing) },
    invoices: { retrieve: () => Promise.reject(missing) },
    customers: {
      retrieve: (id: string) =>
        customers.includes(id) ? Promise.resolve({ id, deleted: true }) : Promise.reject(missing),
    },
  }) as unknown as Stripe;

Deno.test("what is not there is gone, but not for a key of another account", async () => {
  for (const kind of ["subscription", "invoice"] as const) {
    const target = { kind, id: "x_1", customerId: "cus_1" };
    const gone = { kind, id: "x_1", customer_id: "cus_1", deleted: true };
    assert.deepEqual(await fetchObject(account("cus_1"), target, true), { ...gone, livemode: true });
    await assert.rejects(fetchObject(account("cus_2"), target, true), isMissing);
    assert.deepEqual(await fetchObject(account(), target, false), { ...gone, livemode: false });
  }
});
