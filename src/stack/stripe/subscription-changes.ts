import type Stripe from "stripe";
import type { Account } from "./account.ts";
import { differences } from "./differences.ts";

/** Changes a subscription, and tells of it when anything is not as before. */
export function change(
  account: Account,
  subscription: Stripe.Subscription,
  work: (draft: Stripe.Subscription) => void,
  types: Stripe.Event["type"][] = ["customer.subscription.updated"],
): void {
  const before = structuredClone(subscription);
  work(subscription);
  const previous = differences(before, subscription);
  if (Object.keys(previous).length === 0) return;
  for (const type of types) {
    account.emit(type, subscription, type === "customer.subscription.updated" ? previous : undefined);
  }
}

/** The subscription's end: it cannot come back, and its open invoices are not collected any more. */
export function end(
  account: Account,
  subscription: Stripe.Subscription,
  reason: NonNullable<Stripe.Subscription.CancellationDetails["reason"]>,
): void {
  const now = account.now();
  subscription.status = "canceled";
  subscription.canceled_at ??= now;
  subscription.ended_at = now;
  subscription.cancellation_details = { comment: null, feedback: null, feedback_option: null, reason };
  delete account.books.pendingLines[subscription.id];
  for (const invoice of Object.values(account.books.invoices)) {
    if (invoice.parent?.subscription_details?.subscription !== subscription.id) continue;
    if (invoice.status !== "open" && invoice.status !== "draft") continue;
    invoice.auto_advance = false;
    invoice.next_payment_attempt = null;
    invoice.automatically_finalizes_at = null;
  }
  account.emit("customer.subscription.deleted", subscription);
}
