import type Stripe from "stripe";
import { type Account, idOf } from "./account.ts";
import { cardOf } from "./cards.ts";
import { closeInvoice, draftInvoice, finalizeInvoice, relineInvoice, subscriptionOf } from "./invoices.ts";
import { attemptPayment, bill } from "./payments.ts";
import { DAY, HOUR } from "./periods.ts";
import { change, end } from "./subscription-changes.ts";
import { inPeriod, periodFrom, periodOf, usageLine, wholeLine } from "./subscription-items.ts";
import { isMetered } from "./usage.ts";

/** Something that happens by itself once its time has come. */
export interface Due {
  at: number;
  happen(): void;
}

/** What happens next in an account, if anything is to. */
export function nextDue(account: Account): Due | undefined {
  const { subscriptions, invoices, checkoutSessions } = account.books;
  const all = [
    ...Object.values(subscriptions).flatMap((one) => dueOfSubscription(account, one)),
    ...Object.values(invoices).flatMap((one) => dueOfInvoice(account, one)),
    ...Object.values(checkoutSessions).flatMap((one) => dueOfCheckout(account, one)),
  ];
  return all.reduce<Due | undefined>((first, due) => (first && first.at <= due.at ? first : due), undefined);
}

function dueOfSubscription(account: Account, subscription: Stripe.Subscription): Due[] {
  const { status, trial_end, cancel_at, pause_collection } = subscription;
  const live = ["trialing", "active", "past_due", "unpaid"].includes(status);
  const due: Due[] = [];
  if (live && cancel_at !== null) {
    due.push({ at: cancel_at, happen: () => endWithPeriod(account, subscription) });
  }
  if (status === "incomplete") {
    due.push({ at: subscription.created + 23 * HOUR, happen: () => expire(account, subscription) });
  }
  if (status === "trialing" && trial_end !== null) {
    if (!account.books.trialsAnnounced[subscription.id]) {
      due.push({ at: trial_end - 3 * DAY, happen: () => announceTrialEnd(account, subscription) });
    }
    due.push({ at: trial_end, happen: () => endTrial(account, subscription) });
  } else if (live) {
    due.push({ at: periodOf(subscription).end, happen: () => renew(account, subscription) });
  }
  if (pause_collection?.resumes_at) {
    due.push({
      at: pause_collection.resumes_at,
      happen: () =>
        change(account, subscription, (draft) => {
          draft.pause_collection = null;
        }),
    });
  }
  return due;
}

function dueOfInvoice(account: Account, invoice: Stripe.Invoice): Due[] {
  if (invoice.status === "draft" && invoice.automatically_finalizes_at !== null) {
    const happen = () => {
      countUsageAgain(account, invoice);
      finalizeInvoice(account, invoice);
      attemptPayment(account, invoice);
    };
    return [{ at: invoice.automatically_finalizes_at, happen }];
  }
  if (invoice.status === "open" && invoice.next_payment_attempt !== null) {
    return [{ at: invoice.next_payment_attempt, happen: () => void attemptPayment(account, invoice) }];
  }
  return [];
}

function dueOfCheckout(account: Account, session: Stripe.Checkout.Session): Due[] {
  if (session.status !== "open") return [];
  const happen = () => {
    session.status = "expired";
    session.url = null;
    account.emit("checkout.session.expired", session);
  };
  return [{ at: session.expires_at, happen }];
}

function expire(account: Account, subscription: Stripe.Subscription): void {
  const open = account.books.invoices[String(subscription.latest_invoice)];
  if (open?.status === "open") closeInvoice(account, open, "void");
  change(account, subscription, (draft) => {
    draft.status = "incomplete_expired";
    draft.ended_at = account.now();
  });
}

function announceTrialEnd(account: Account, subscription: Stripe.Subscription): void {
  account.books.trialsAnnounced[subscription.id] = true;
  account.emit("customer.subscription.trial_will_end", subscription);
}

function endTrial(account: Account, subscription: Stripe.Subscription): void {
  const without = subscription.trial_settings?.end_behavior.missing_payment_method;
  if (cardOf(account, subscription) === "none" && without !== "create_invoice") {
    if (without === "cancel") {
      end(account, subscription, "cancellation_requested");
      return;
    }
    change(
      account,
      subscription,
      (draft) => {
        draft.status = "paused";
      },
      ["customer.subscription.updated", "customer.subscription.paused"],
    );
    return;
  }
  startPeriod(account, subscription, subscription.trial_end ?? account.now(), "active");
}

/** What was used of metered items in the period that is over. */
const usageLines = (account: Account, subscription: Stripe.Subscription) =>
  subscription.items.data
    .filter(isMetered)
    .map((item) => usageLine(account, idOf(subscription.customer), item, periodOf(subscription)));

/** Usage of a period is taken as long as its invoice is a draft. */
function countUsageAgain(account: Account, invoice: Stripe.Invoice): void {
  const subscription = subscriptionOf(account, invoice);
  if (!subscription) return;
  const data = invoice.lines.data.map((line) => {
    const id = line.parent?.subscription_item_details?.subscription_item;
    const item = subscription.items.data.find((one) => one.id === id);
    if (!item || !isMetered(item)) return line;
    const again = usageLine(account, idOf(subscription.customer), item, line.period);
    return { ...again, id: line.id, invoice: invoice.id };
  });
  relineInvoice(account, invoice, data);
}

/** What was used until then is billed last. */
function endWithPeriod(account: Account, subscription: Stripe.Subscription): void {
  const lines = usageLines(account, subscription);
  end(account, subscription, "cancellation_requested");
  if (lines.length === 0) return;
  const invoice = draftInvoice(account, {
    subscription,
    reason: "subscription_cycle",
    lines,
    period: periodOf(subscription),
  });
  invoice.automatically_finalizes_at = account.now() + HOUR;
}

/** As on Stripe, its invoice stays a draft for an hour. */
function renew(account: Account, subscription: Stripe.Subscription): void {
  startPeriod(account, subscription, periodOf(subscription).end, subscription.status);
}

function startPeriod(
  account: Account,
  subscription: Stripe.Subscription,
  start: number,
  status: Stripe.Subscription.Status,
): void {
  const [first] = subscription.items.data;
  if (!first) return;
  const period = periodFrom(start, first.price, subscription.billing_cycle_anchor);
  const lines = [
    ...(account.books.pendingLines[subscription.id] ?? []),
    ...usageLines(account, subscription),
    ...subscription.items.data.filter((item) => !isMetered(item)).map((item) => wholeLine(item, period)),
  ];
  delete account.books.pendingLines[subscription.id];
  change(account, subscription, (draft) => {
    draft.status = status;
    draft.items = { ...draft.items, data: draft.items.data.map((item) => inPeriod(item, period)) };
  });
  const basis = { subscription, reason: "subscription_cycle" as const, lines, period };
  if (subscription.pause_collection?.behavior === "void") {
    const invoice = draftInvoice(account, basis);
    finalizeInvoice(account, invoice);
    closeInvoice(account, invoice, "void");
    return;
  }
  if (lines.every(({ amount }) => amount === 0) && !subscription.items.data.some(isMetered)) {
    bill(account, basis);
    return;
  }
  const invoice = draftInvoice(account, basis);
  const collected = status !== "unpaid" && !subscription.pause_collection;
  invoice.auto_advance = collected;
  if (collected) invoice.automatically_finalizes_at = start + HOUR;
}
