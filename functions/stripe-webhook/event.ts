import { z } from "zod";
import { AppError } from "../_shared/errors.ts";
import type { Target } from "../_shared/stripe-fetch.ts";

const reference = z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)]).nullish();

/** The parts of an event that are looked at. Everything else is the ledger's to keep. */
const event = z.object({
  // Part of a statement's text: see ledger.ts.
  id: z.string().regex(/^evt_\w{1,200}$/),
  object: z.literal("event"),
  type: z.string(),
  /** Until the year 9999: PostgreSQL's times end, too. */
  created: z.int().min(0).max(253_402_300_799),
  livemode: z.boolean(),
  account: z.string().nullish(),
  data: z.object({
    object: z.object({
      id: z.string().nullish(),
      object: z.string(),
      customer: reference,
      subscription: reference,
    }),
  }),
});

export type Event = z.infer<typeof event>;

/** @throws {AppError} `malformed_body` for what is no event, though it is signed. */
export function parseEvent(body: unknown): Event {
  const parsed = event.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new AppError("malformed_body", { cause: new Error(parsed.error.issues[0]?.path.join(".")) });
}

/** What to fetch for an event; undefined when it changes nothing that is stored. */
export function targetOf({ type, account, data }: Event): Target | undefined {
  const { id, object, customer, subscription } = data.object;
  // An event of a connected account is about somebody else's customers.
  if (account || !id) return undefined;
  if (object === "subscription" && type.startsWith("customer.subscription.")) {
    return { kind: "subscription", id, customerId: customer ?? "" };
  }
  // An upcoming invoice is a preview: it is nowhere to be fetched.
  if (object === "invoice" && type.startsWith("invoice.") && type !== "invoice.upcoming") {
    return { kind: "invoice", id, customerId: customer ?? "" };
  }
  if (object === "checkout.session" && completed.has(type) && subscription) {
    return { kind: "subscription", id: subscription, customerId: customer ?? "" };
  }
  if (object === "customer" && type === "customer.deleted") return { kind: "customer", id, customerId: id };
  return undefined;
}

const completed = new Set(["checkout.session.completed", "checkout.session.async_payment_succeeded"]);
