import { AppError } from "../_shared/errors.ts";
import type { Backend, BillingContext } from "./backend.ts";
import type { Selection } from "./schemas.ts";

/** A price and how many of it: what Stripe calls an item. */
export interface Line {
  price: string;
  quantity: number;
}

/** What was chosen, as it can be bought: the plan first. */
export interface Chosen {
  plan: Line;
  addons: Line[];
}

/**
 * Checks a choice against what is sold, and counts the seats.
 *
 * @throws {AppError} `unknown_price`, `prices_do_not_mix`, `too_few_seats`.
 */
export async function choose(
  backend: Pick<Backend, "prices">,
  { seats }: Pick<BillingContext, "seats">,
  { price_id, quantity, addons = [] }: Selection,
  livemode: boolean,
): Promise<Chosen> {
  const ids = [price_id, ...addons.map((addon) => addon.price_id)];
  const found = await backend.prices([...new Set(ids)], livemode);
  const priceOf = (id: string, kind: "plan" | "addon") => {
    const price = found.find((price) => price.id === id && price.kind === kind);
    if (!price) {
      throw new AppError("unknown_price", { details: { price_id: id } });
    }
    return price;
  };
  const plan = priceOf(price_id, "plan");
  for (const addon of addons) {
    const { interval, currency } = priceOf(addon.price_id, "addon");
    if (
      interval !== plan.interval || currency !== plan.currency ||
      ids.indexOf(addon.price_id) !== ids.lastIndexOf(addon.price_id)
    ) {
      throw new AppError("prices_do_not_mix", {
        details: { price_id: addon.price_id },
      });
    }
  }
  return {
    plan: {
      price: plan.id,
      quantity: seatsOf(plan.seatBilling, seats.used, quantity),
    },
    addons: addons.map((addon) => ({
      price: addon.price_id,
      quantity: addon.quantity ?? 1,
    })),
  };
}

function seatsOf(
  billing: string,
  used: number,
  wanted = Math.max(used, 1),
): number {
  // The plan has its seats, or they follow the members: nobody chooses.
  if (billing === "included") return 1;
  if (billing === "per_member") return Math.max(used, 1);
  if (wanted < used) {
    throw new AppError("too_few_seats", { details: { seats_used: used } });
  }
  return wanted;
}
