import type Stripe from "stripe";
import { fetchObject } from "../_shared/stripe-fetch.ts";
import { type Event, targetOf } from "./event.ts";
import type { Ledger, Result } from "./ledger.ts";

export interface Delivery {
  event: Event;
  /** The event's JSON, as it is kept. */
  body: string;
  ledger: Ledger;
  /** Loads Stripe's client. */
  stripe: () => Promise<Stripe>;
}

/**
 * Applies one event, however often and in whatever order events come. The event only tells which object to look at: a
 * ticket is drawn, then the object is fetched, then its state is stored unless one with a higher ticket is. Nothing is
 * locked while Stripe is asked.
 */
export async function deliver({ event, body, ledger, stripe }: Delivery): Promise<Result> {
  const target = targetOf(event);
  if (!target) return await ledger.apply(body, null, { kind: "none" });
  const { ticket, status } = await ledger.ticket(event.id);
  if (status === "applied") return { outcome: "duplicate", changed: false };
  const object = await fetchObject(await stripe(), target, event.livemode);
  return await ledger.apply(body, ticket, object);
}
