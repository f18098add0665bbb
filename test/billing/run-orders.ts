import type { Sql } from "postgres";
import type Stripe from "stripe";
import { deliver } from "../../functions/stripe-webhook/deliver.ts";
import { parseEvent } from "../../functions/stripe-webhook/event.ts";
import type { Ledger, Result } from "../../functions/stripe-webhook/ledger.ts";
import { find, type RecordedEvent } from "../../src/stack/stripe/account.ts";
import { shown } from "../../src/stack/stripe/shown.ts";
import { createWorld, type History, type World } from "./histories.ts";
import { CHANGE, type Order, type Plan } from "./orders.ts";
import { linkOrganizations } from "./places.ts";
import { expectedState, storedStates } from "./stored.ts";

/** What went otherwise than it must. */
export interface Deviation {
  history: string;
  order: Order;
  expected: unknown;
  stored: unknown;
}

export interface Kind {
  /** The events that are delivered. */
  types: RegExp;
  /** How often each is. */
  copies: number;
  steps: Plan["steps"];
}

/** What can be put in order in a history: its events are found by living through it once. */
export function planOf(history: History, { types, copies, steps }: Kind): Plan {
  const world = createWorld(history);
  const deliveries = history.changes.flatMap((change, index) => {
    const before = world.account.books.events.length;
    change(world);
    const made = world.account.books.events.slice(before).filter(({ type }) => types.test(type));
    return made.map(() => index + 1);
  });
  return {
    changes: history.changes.length,
    deliveries: deliveries.flatMap((after, event) =>
      Array.from({ length: copies }, () => ({ after, event: String(event) })),
    ),
    steps,
  };
}

const AT_ONCE = 8;

/** Lives through a history once for each order, each with a customer of its own, several at a time. */
export async function runOrders(
  sql: Sql,
  ledger: Ledger,
  history: History,
  kind: Kind,
  orders: Order[],
): Promise<Deviation[]> {
  const plan = planOf(history, kind);
  const lives = orders.map((order) => ({ order, world: createWorld(history) }));
  const places = await linkOrganizations(
    sql,
    lives.map(({ world }) => world.customer),
  );
  const deviations: Deviation[] = [];
  const queue = [...lives];
  const worker = async () => {
    for (let life = queue.pop(); life; life = queue.pop()) {
      const { world, order } = life;
      const outcomes = await live(world, history, plan, order, kind.types, ledger);
      const wrong = [...outcomes].find(([, results]) => !isOnce(results));
      if (wrong) deviations.push({ history: history.name, order, expected: "applied once", stored: wrong });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  const states = await storedStates(sql, [...places.values()]);
  for (const { order, world } of lives) {
    const stored = states.get(places.get(world.customer) ?? "");
    const expected = expectedState(world, kind.types);
    if (JSON.stringify(sorted(stored)) !== JSON.stringify(sorted(expected))) {
      deviations.push({ history: history.name, order, expected, stored });
    }
  }
  await sql`delete from public.organizations where id = any (${[...places.values()]})`;
  return deviations;
}

/** Of all deliveries of an event one claims it, and the others find it claimed. */
const isOnce = (results: Result[]) =>
  results.filter(({ outcome }) => outcome === "applied" || outcome === "stale").length === 1 &&
  results.filter(({ outcome }) => outcome === "duplicate").length === results.length - 1;

async function live(
  world: World,
  history: History,
  plan: Plan,
  order: Order,
  types: RegExp,
  ledger: Ledger,
): Promise<Map<string, Result[]>> {
  const deliveries: (SteppedDelivery | undefined)[] = [];
  const outcomes = new Map<string, Result[]>();
  let changes = 0;
  for (const moment of order) {
    if (moment === CHANGE) {
      history.changes[changes++]?.(world);
      continue;
    }
    const events = world.account.books.events.filter(({ type }) => types.test(type));
    const event = events[Number(plan.deliveries[moment]?.event)];
    if (!event) throw new Error(`${history.name} has no event for delivery ${moment}.`);
    deliveries[moment] ??= begin(event, ledger, stripeOf(world), plan.steps);
    const result = await deliveries[moment].step();
    if (result) outcomes.set(event.id, [...(outcomes.get(event.id) ?? []), result]);
  }
  return outcomes;
}

interface SteppedDelivery {
  /** Goes one step further: the result, once there is one. */
  step(): Promise<Result | undefined>;
}

/** A delivery that waits before each of its steps, or goes through all of them at once. */
function begin(event: RecordedEvent, ledger: Ledger, stripe: Stripe, steps: Plan["steps"]): SteppedDelivery {
  const parsed = parseEvent(JSON.parse(event.body));
  if (steps === 1) {
    return { step: () => deliver({ event: parsed, body: event.body, ledger, stripe: async () => stripe }) };
  }
  let go = Promise.withResolvers<void>();
  let there = Promise.withResolvers<void>();
  let taken = 0;
  const moment = async <T>(work: () => Promise<T>): Promise<T> => {
    await go.promise;
    const value = await work();
    there.resolve();
    return value;
  };
  let result: Result | undefined;
  const running = deliver({
    event: parsed,
    body: event.body,
    ledger: {
      ...ledger,
      ticket: (id) => moment(() => ledger.ticket(id)),
      apply: (body, ticket, object) => moment(() => ledger.apply(body, ticket, object)),
    },
    // The fetch is the moment at which Stripe answers.
    stripe: async () => inMoments(stripe, moment),
  }).then((value) => {
    result = value;
  });
  return {
    async step() {
      if (result || ++taken > steps) return undefined;
      go.resolve();
      await Promise.race([there.promise, running]);
      go = Promise.withResolvers();
      there = Promise.withResolvers();
      if (taken < steps) await Promise.race([Promise.resolve(), running]);
      else await running;
      return result;
    },
  };
}

type Moment = <T>(work: () => Promise<T>) => Promise<T>;

const inMoments = (stripe: Stripe, moment: Moment) =>
  ({
    subscriptions: { retrieve: (id: string) => moment(() => stripe.subscriptions.retrieve(id)) },
    invoices: { retrieve: (id: string) => moment(() => stripe.invoices.retrieve(id)) },
  }) as unknown as Stripe;

/** The two calls of Stripe's client that deliveries make, answered from the account without HTTP between. */
function stripeOf({ account: { books } }: World): Stripe {
  return {
    subscriptions: {
      retrieve: async (id: string) => structuredClone(shown(find(books.subscriptions, "subscription", id))),
    },
    invoices: { retrieve: async (id: string) => structuredClone(shown(find(books.invoices, "invoice", id))) },
  } as unknown as Stripe;
}

/** With the names of objects, and lists of things with an id, in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const things = value.map(sorted);
    return things.every((thing) => typeof thing === "object") ? things.toSorted(byText) : things;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, inner]) => [name, sorted(inner)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
