import type Stripe from "stripe";
import type { Account } from "./account.ts";
import { cardOf } from "./cards.ts";
import { draftInvoice, finalizeInvoice, type InvoiceBasis, subscriptionOf } from "./invoices.ts";
import { DAY } from "./periods.ts";
import { change, end } from "./subscription-changes.ts";

/** How long after each failed attempt the next one is made. */
const RETRIES = [3 * DAY, 5 * DAY, 7 * DAY];

/** Makes an invoice, finalizes it and tries to have it paid. */
export function bill(account: Account, basis: InvoiceBasis): Stripe.Invoice {
  const invoice = draftInvoice(account, basis);
  finalizeInvoice(account, invoice);
  attemptPayment(account, invoice);
  return invoice;
}

/** Tries to have an open invoice paid, and lets its subscription follow. */
export function attemptPayment(account: Account, invoice: Stripe.Invoice): boolean {
  const subscription = subscriptionOf(account, invoice);
  const goesThrough =
    invoice.amount_due === 0 || (subscription !== undefined && cardOf(account, subscription) === "pays");
  invoice.attempted = true;
  invoice.attempt_count += 1;
  if (goesThrough) markPaid(account, invoice);
  else markFailed(account, invoice);
  return goesThrough;
}

export function markPaid(account: Account, invoice: Stripe.Invoice): void {
  invoice.status = "paid";
  invoice.amount_paid = invoice.amount_due;
  invoice.amount_remaining = 0;
  invoice.next_payment_attempt = null;
  invoice.status_transitions.paid_at = account.now();
  account.emit("invoice.paid", invoice);
  account.emit("invoice.payment_succeeded", invoice);

  const subscription = subscriptionOf(account, invoice);
  const waits = ["incomplete", "past_due", "unpaid"].includes(subscription?.status ?? "");
  if (subscription && waits && subscription.latest_invoice === invoice.id) {
    change(account, subscription, (draft) => {
      draft.status = "active";
    });
  }
}

function markFailed(account: Account, invoice: Stripe.Invoice): void {
  const subscription = subscriptionOf(account, invoice);
  const first = subscription?.status === "incomplete";
  const wait = first ? undefined : RETRIES[invoice.attempt_count - 1];
  invoice.next_payment_attempt = wait === undefined ? null : account.now() + wait;
  account.emit("invoice.payment_failed", invoice);
  if (!subscription || first || subscription.latest_invoice !== invoice.id) return;
  if (subscription.status === "canceled") return;
  if (wait === undefined && account.afterRetries === "canceled") {
    end(account, subscription, "payment_failed");
  } else if (subscription.status === "active" || subscription.status === "past_due") {
    const status = wait === undefined ? account.afterRetries : "past_due";
    if (status !== subscription.status) {
      change(account, subscription, (draft) => {
        draft.status = status;
      });
    }
  }
}
