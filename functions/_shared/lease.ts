import type { Decision, Decisions, Request } from "./decisions.ts";

export interface LeaseOptions {
  decisions: Decisions;
  /** How long a lease is spent at most: as long as a key that was revoked goes on. 1 to 5, default 2. */
  ttlSeconds?: number;
  /** Least and most requests that a lease is asked for. Default 8 and 4,096. */
  least?: number;
  most?: number;
  /** Milliseconds that only ever grow. */
  clock?: () => number;
  /** Calls back once, after so many milliseconds. */
  after?: (ms: number, callback: () => void) => void;
  /** Is told when a lease could not be returned: the database then takes it for spent. */
  onFailure?: (error: unknown) => void;
}

/** Decides in memory, on budget that the database has granted. */
export interface Leases {
  decide(request: Request, cost: number): Promise<Decision>;
  /** Returns what is out, at once: before the isolate goes. */
  close(): Promise<void>;
}

/** What the database gives at most. */
const LARGEST = 1_000_000;

interface Block {
  id: string;
  decision: Decision;
  granted: number;
  spent: number;
  /** On `clock`: not after the database's own end, since it counts from before it was asked for. */
  endsAt: number;
}

interface Budget {
  name: string;
  block: Block | undefined;
  /** How much is asked for next: twice as much when the last was used up, half when it was not. */
  size: number;
  taking: Promise<Decision> | undefined;
  /** The cost of all who wait. */
  awaited: number;
}

/**
 * Makes a memory of leases, one for each isolate: a block of quota and rate is taken in one call, spent without any,
 * and what is left of it returned when it ends. Limits hold exactly, since a block counts as used while it is out; a key
 * that was revoked or narrowed goes on for what is left of its block, at most `ttlSeconds`.
 */
export function createLeases(options: LeaseOptions): Leases {
  const {
    decisions,
    ttlSeconds = 2,
    least = 8,
    most = 4096,
    clock = () => performance.now(),
    after = (ms, callback) => void setTimeout(callback, ms),
    onFailure = () => {},
  } = options;
  const budgets = new Map<string, Budget>();
  /** Keys that are good for some addresses, origins or workflows alone: their blocks are for one context each. */
  const restricted = new Set<string>();
  const returns = new Set<Promise<unknown>>();

  function budgetOf({ hash, scope, metric, context }: Request): Budget {
    const key = hash.join();
    const name = JSON.stringify([
      key,
      scope,
      metric,
      // A block is written down as used for one workflow.
      context.workflow_id,
      ...(restricted.has(key) ? [context.ip, context.origin] : []),
    ]);
    const budget = budgets.get(name) ??
      { name, block: undefined, size: least, taking: undefined, awaited: 0 };
    budgets.set(name, budget);
    return budget;
  }

  const lasts = (block: Block | undefined, cost: number): block is Block =>
    block !== undefined && clock() < block.endsAt && block.granted - block.spent >= cost;

  function end(budget: Budget): void {
    const { block } = budget;
    if (!block) return;
    budget.block = undefined;
    const returned = decisions.giveBack(block.id, block.spent).catch(onFailure).finally(() =>
      returns.delete(returned)
    );
    returns.add(returned);
  }

  async function take(budget: Budget, request: Request): Promise<Decision> {
    if (budget.block) {
      budget.size = Math.min(most, budget.size * 2);
      end(budget);
    }
    const asked = clock();
    const amount = Math.min(LARGEST, Math.max(budget.size, budget.awaited));
    const { decision, lease } = await decisions.lease(request, amount, ttlSeconds).catch((error) => {
      budgets.delete(budget.name);
      throw error;
    });
    if (!lease) {
      budgets.delete(budget.name);
      return decision;
    }
    if (lease.restricted) restricted.add(request.hash.join());
    else restricted.delete(request.hash.join());
    const holder = budgetOf(request);
    end(holder);
    const block = {
      id: lease.id,
      decision,
      granted: lease.granted,
      spent: 0,
      endsAt: asked + lease.seconds * 1000,
    };
    holder.block = block;
    after(Math.max(0, block.endsAt - clock()), () => {
      if (holder.block !== block) return;
      if (block.spent < block.granted / 2) holder.size = Math.max(least, Math.floor(holder.size / 2));
      end(holder);
      // A key that stays idle is forgotten with its size.
      after(ttlSeconds * 1000, () => {
        if (!holder.block && !holder.taking && budgets.get(holder.name) === holder) {
          budgets.delete(holder.name);
        }
      });
    });
    return decision;
  }

  return {
    async decide(request, cost) {
      for (let attempt = 0; attempt < 3 && cost <= most; attempt++) {
        const budget = budgetOf(request);
        if (lasts(budget.block, cost)) {
          budget.block.spent += cost;
          const { decision, granted, spent } = budget.block;
          return { ...decision, rateLimit: granted, rateRemaining: granted - spent };
        }
        // Those who come meanwhile wait for the same block.
        const mine = !budget.taking;
        budget.awaited += cost;
        budget.taking ??= take(budget, request).finally(() => budget.taking = undefined);
        try {
          const decision = await budget.taking;
          if (mine && !decision.allowed) return decision;
        } finally {
          // Now that it is its turn, not when the block came: whoever asks for the next counts those behind.
          budget.awaited -= cost;
        }
      }
      // It does not fit into a block: on its own, then.
      return await decisions.authorize(request, cost);
    },
    async close() {
      for (const budget of budgets.values()) end(budget);
      budgets.clear();
      await Promise.all(returns);
    },
  };
}
