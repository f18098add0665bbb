import type Stripe from "stripe";
import {
  normalizeInvoice,
  normalizeSubscription,
  type StripeObject,
  withAllItems,
} from "./stripe-objects.ts";

/** An object whose state may have changed. */
export interface Target {
  kind: "subscription" | "invoice" | "customer";
  id: string;
  customerId: string;
}

/** Stripe waits some ten seconds for an answer: two attempts and what the database needs fit into that. */
const ONCE_AGAIN = { timeout: 3000, maxNetworkRetries: 1 };

/**
 * The object's state as it is at Stripe now, whatever anybody said of it.
 *
 * @throws Stripe's error, also for an object that is not there where its customer never was either: see `isOurs`.
 */
export async function fetchObject(stripe: Stripe, target: Target, livemode: boolean): Promise<StripeObject> {
  const { kind, id, customerId } = target;
  const gone = { kind, id, customer_id: customerId, livemode, deleted: true as const };
  // A customer who is deleted cannot come back: there is nothing newer to fetch.
  if (kind === "customer") return gone;
  try {
    return kind === "invoice"
      ? normalizeInvoice(await stripe.invoices.retrieve(id, {}, ONCE_AGAIN))
      : await subscriptionObject(stripe, id);
  } catch (error) {
    if (isMissing(error) && await isOurs(stripe, customerId, livemode)) return gone;
    throw error;
  }
}

/**
 * True when the key's account has or had this customer: one that was deleted is still found. A key of another account finds
 * nothing, and nobody may lose a subscription over that. Test data may be wiped out altogether.
 */
export async function isOurs(stripe: Stripe, customerId: string, livemode: boolean): Promise<boolean> {
  if (!livemode) return true;
  try {
    await stripe.customers.retrieve(customerId, {}, ONCE_AGAIN);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function subscriptionObject(stripe: Stripe, id: string): Promise<StripeObject> {
  const subscription = await stripe.subscriptions.retrieve(id, {}, ONCE_AGAIN);
  return normalizeSubscription(await withAllItems(stripe, subscription, ONCE_AGAIN));
}

/** True when Stripe does not have what was named. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "resource_missing";
