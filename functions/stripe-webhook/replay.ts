import type Stripe from "stripe";
import { fetchObject } from "../_shared/stripe-fetch.ts";
import { deliver } from "./deliver.ts";
import { parseEvent, targetOf } from "./event.ts";
import { reasonOf } from "./failure.ts";
import type { KeptEvent, Ledger, Result } from "./ledger.ts";

/** What became of one replayed event: `failed` with a reason, else as a delivery's. */
export interface Replayed {
  id: string;
  type: string;
  outcome: Result["outcome"] | "failed";
  changed: boolean;
  reason?: string;
}

/** Applies a kept event as if it had just been delivered; one that was applied has its object compared again. */
export async function replay(
  kept: KeptEvent,
  ledger: Ledger,
  stripe: () => Promise<Stripe>,
): Promise<Replayed> {
  const { id, type } = kept;
  let body = kept.payload;
  try {
    body ??= JSON.stringify(await (await stripe()).events.retrieve(id));
    const event = parseEvent(JSON.parse(body));
    const target = kept.status === "applied" ? targetOf(event) : undefined;
    if (!target) return { id, type, ...await deliver({ event, body, ledger, stripe }) };
    const { ticket } = await ledger.ticket(id);
    const object = await fetchObject(await stripe(), target, event.livemode);
    return { id, type, ...await ledger.applyObject(ticket, object) };
  } catch (error) {
    const reason = reasonOf(error);
    if (body) await ledger.fail(body, reason);
    return { id, type, outcome: "failed", changed: false, reason };
  }
}
