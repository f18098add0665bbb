import { AppError } from "../_shared/errors.ts";
import type { Backend, BillingContext, Price } from "./backend.ts";
import type { Selection } from "./schemas.ts";

/** A price and how many of it: what Stripe calls an item. */
export interface Line {
  price: string;
  quantity: number;
}

/** What was chosen, as it can be bought: the plan first. */
export interface Chosen {
  plan: Line;
  /** The prices of what the plan bills by usage: nobody chooses how much of it. */
  metered: string[];
  addons: Line[];
}

/**
 * Checks a choice against what is sold and what is there already, and counts the seats.
 *
 * @throws {AppError} `unknown_price`, `prices_do_not_mix`, `too_few_seats`, `too_many_seats`.
 */
export async function choose(
  backend: Pick<Backend, "prices">,
  context: Pick<BillingContext, "seats" | "subscription">,
  { price_id, quantity, addons = [] }: Selection,
  livemode: boolean,
): Promise<Chosen> {
  const ids = [price_id, ...addons.map((addon) => addon.price_id)];
  const found = await backend.prices([...new Set(ids)], livemode);
  const priceOf = (id: string, kind: "plan" | "addon") => {
    const price = found.find((price) => price.id === id && price.kind === kind);
    if (!price) throw new AppError("unknown_price", { details: { price_id: id } });
    return price;
  };
  const doesNotMix = (price_id: string) => new AppError("prices_do_not_mix", { details: { price_id } });

  const plan = priceOf(price_id, "plan");
  // A subscription's currency is for good.
  if (context.subscription && context.subscription.currency !== plan.currency) throw doesNotMix(price_id);
  for (const { price_id: id } of addons) {
    const { interval, currency, grants } = priceOf(id, "addon");
    const twice = ids.indexOf(id) !== ids.lastIndexOf(id);
    // What the plan bills beyond its own limit, it would bill in spite of the add-on.
    const billedTwice = grants.some((key) => plan.overage.includes(key));
    if (billedTwice || twice || interval !== plan.interval || currency !== plan.currency) {
      throw doesNotMix(id);
    }
  }
  return {
    plan: { price: plan.id, quantity: seatsOf(plan, context, quantity) },
    metered: plan.metered,
    addons: addons.map(({ price_id: price, quantity = 1 }) => ({ price, quantity })),
  };
}

function seatsOf(
  { seatBilling, mostSeats }: Price,
  { seats: { used, billing }, subscription }: Pick<BillingContext, "seats" | "subscription">,
  wanted?: number,
): number {
  // The plan has its seats, or they follow the members: nobody chooses.
  if (seatBilling === "included") return 1;
  if (seatBilling === "per_member") return Math.max(used, 1);
  // Who changes something else keeps what they bought.
  const bought = billing === "bought" ? subscription?.quantity ?? 0 : 0;
  const seats = wanted ?? Math.max(used, bought, 1);
  if (seats < used) throw new AppError("too_few_seats", { details: { seats_used: used } });
  if (mostSeats !== null && seats > mostSeats) {
    throw new AppError("too_many_seats", { details: { seats_limit: mostSeats } });
  }
  return seats;
}
