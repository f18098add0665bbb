/** One moment of an order: the next change at Stripe, or the next step of a delivery. */
export const CHANGE = -1;
export type Order = number[];

/** What can be put in order: after which change each delivery may begin, and in how many steps it goes. */
export interface Plan {
  changes: number;
  deliveries: { after: number; event: string }[];
  /** 1: a delivery is over before anything else happens. 3: ticket, fetch and application are moments of their own. */
  steps: 1 | 3;
}

interface Position {
  changes: number;
  taken: number[];
}

/** The moments that may come next. */
function possible({ changes, deliveries, steps }: Plan, at: Position): number[] {
  const next = deliveries.flatMap(({ after, event }, index) => {
    const taken = at.taken[index] ?? 0;
    if (after > at.changes || taken === steps) return [];
    // Of two deliveries of one event it does not matter which is the first.
    const twin = deliveries.findIndex((other, before) => before < index && other.event === event);
    return twin !== -1 && taken === 0 && at.taken[twin] === 0 ? [] : [index];
  });
  return at.changes < changes ? [CHANGE, ...next] : next;
}

function moved(at: Position, moment: number): Position {
  if (moment === CHANGE) return { ...at, changes: at.changes + 1 };
  return { ...at, taken: at.taken.map((taken, index) => (index === moment ? taken + 1 : taken)) };
}

const beginning = ({ deliveries }: Plan): Position => ({ changes: 0, taken: deliveries.map(() => 0) });

/** Every order there is: changes in theirs, each delivery at any time after the change that it tells of. */
export function* everyOrder(plan: Plan, at = beginning(plan)): Generator<Order> {
  const next = possible(plan, at);
  if (next.length === 0) yield [];
  for (const moment of next) {
    for (const rest of everyOrder(plan, moved(at, moment))) yield [moment, ...rest];
  }
}

/** The order that a list of choices leads to. */
export function chosenOrder(plan: Plan, choices: readonly number[]): Order {
  const order: Order = [];
  let at = beginning(plan);
  for (let next = possible(plan, at); next.length > 0; next = possible(plan, at)) {
    const moment = next[(choices[order.length] ?? 0) % next.length] ?? CHANGE;
    order.push(moment);
    at = moved(at, moment);
  }
  return order;
}
