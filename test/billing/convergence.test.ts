import fc from "fast-check";
import postgres from "postgres";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { createLedger, type Ledger } from "../../functions/stripe-webhook/ledger.ts";
import { canceledAndResumed, type History, histories } from "./histories.ts";
import { chosenOrder, everyOrder, type Order } from "./orders.ts";
import { asPostgres, offerPlan } from "./places.ts";
import { type Kind, planOf, runOrders } from "./run-orders.ts";

/** `NECTAR_ORDERS=all`: every order of the long histories too. A number: so many rounds at random. */
const wanted = process.env["NECTAR_ORDERS"];
const MOST = wanted === "all" ? Number.POSITIVE_INFINITY : 700;
const MOST_OVERLAPPING = wanted === "all" ? Number.POSITIVE_INFINITY : 500;
const ROUNDS = Number(wanted) || 2;
const AT_A_TIME = 500;
const timeout = wanted ? 3_600_000 : 180_000;

const sql = postgres(inject("project").databaseUrl, { max: 8, onnotice() {} });
const ledger = createLedger(asPostgres(sql));
beforeAll(() => offerPlan(sql));

let lived = 0;
afterAll(async () => {
  console.log(`${lived} orders, each with a customer of its own, ended as Stripe did`);
  await sql.end();
});

const ofSubscriptions = /^customer\.subscription\.(?!trial_will_end)/;
const all = /^(customer\.subscription|invoice)\./;

/** At most so many of them, evenly from the whole. */
function some(orders: Order[], most: number): Order[] {
  if (orders.length <= most) return orders;
  return Array.from({ length: most }, (_, n) => orders[Math.floor((n * orders.length) / most)] ?? []);
}

async function converge(history: History, kind: Kind, orders: Order[]): Promise<void> {
  for (let from = 0; from < orders.length; from += AT_A_TIME) {
    const batch = orders.slice(from, from + AT_A_TIME);
    expect(await runOrders(sql, ledger, history, kind, batch)).toEqual([]);
    lived += batch.length;
  }
}

test.each(histories)("in every order: $name", { timeout }, async (history) => {
  const kind: Kind = { types: ofSubscriptions, copies: 1, steps: 1 };
  await converge(history, kind, some([...everyOrder(planOf(history, kind))], MOST));
});

test("every event twice, in every order", { timeout }, async () => {
  const kind: Kind = { types: ofSubscriptions, copies: 2, steps: 1 };
  await converge(canceledAndResumed, kind, [...everyOrder(planOf(canceledAndResumed, kind))]);
});

const overlapping: Kind = { types: ofSubscriptions, copies: 1, steps: 3 };
const everyOverlap = [...everyOrder(planOf(canceledAndResumed, overlapping))];

test("between ticket, fetch and application of each other", { timeout }, async () => {
  expect(everyOverlap).toHaveLength(5775);
  await converge(canceledAndResumed, overlapping, some(everyOverlap, MOST_OVERLAPPING));
});

test.each(histories)(
  "with invoices, twice each, overlapping at random: $name",
  { timeout },
  async (history) => {
    const kind: Kind = { types: all, copies: 2, steps: 3 };
    const plan = planOf(history, kind);
    const moments = plan.changes + plan.deliveries.length * kind.steps;
    const choices = fc.array(fc.nat(), { minLength: moments, maxLength: moments, size: "max" });
    await fc.assert(
      fc.asyncProperty(fc.array(choices, { minLength: 8, maxLength: 8 }), async (several) => {
        const orders = several.map((one) => chosenOrder(plan, one));
        await converge(history, kind, orders);
      }),
      // What fails is told with its seed. To look for a shorter order would take hours.
      { numRuns: ROUNDS, endOnFailure: true },
    );
  },
);

test("these tests find a ledger that takes the order of arrival for the order of states", {
  timeout,
}, async () => {
  const careless: Ledger = {
    ...ledger,
    apply: async (event, _ticket, object) => {
      const { ticket } = await ledger.ticket("evt_any");
      return ledger.apply(event, ticket, object);
    },
  };
  const found = await runOrders(sql, careless, canceledAndResumed, overlapping, some(everyOverlap, 100));
  expect(found.length).toBeGreaterThan(0);
});
