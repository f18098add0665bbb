import type Stripe from "stripe";
import { type Account, findCustomer, newId } from "./account.ts";
import { attachCard, cardOf } from "./cards.ts";
import { declined, invalid, nothingToPayWith } from "./failure.ts";
import { closeInvoice, composeInvoice, draftInvoice, finalizeInvoice } from "./invoices.ts";
import { attemptPayment, bill } from "./payments.ts";
import { DAY } from "./periods.ts";
import { change } from "./subscription-changes.ts";
import {
  changedItems,
  type ItemChange,
  type ItemsAfter,
  inPeriod,
  makeItem,
  periodFrom,
  periodOf,
  recurringPrice,
  wholeLine,
} from "./subscription-items.ts";

export type PaymentBehavior = "allow_incomplete" | "default_incomplete" | "error_if_incomplete";
export type ProrationBehavior = "always_invoice" | "create_prorations" | "none";

export interface NewSubscription {
  customer: string;
  items: ItemChange[];
  /** Seconds since 1970. */
  trialEnd?: number | undefined;
  trialDays?: number | undefined;
  withoutCardAfterTrial?: Stripe.Subscription.TrialSettings.EndBehavior["missing_payment_method"] | undefined;
  card?: string | undefined;
  paymentBehavior?: PaymentBehavior | undefined;
  cancelAtPeriodEnd?: boolean | undefined;
  description?: string | null | undefined;
  metadata?: Stripe.Metadata | undefined;
}

export function createSubscription(account: Account, given: NewSubscription): Stripe.Subscription {
  const customer = findCustomer(account, given.customer);
  const now = account.now();
  const prices = given.items.map(({ price }, n) =>
    recurringPrice(account, price ?? "", `items[${n}][price]`),
  );
  const [first] = prices;
  if (!first) throw invalid("A subscription needs at least one item.", "items", "parameter_missing");
  if (prices.some(({ currency }) => currency !== first.currency)) {
    throw invalid("All prices of a subscription need the same currency.", "items");
  }
  const trialEnd = given.trialEnd ?? (given.trialDays ? now + given.trialDays * DAY : undefined);
  const period = trialEnd ? { start: now, end: trialEnd } : periodFrom(now, first);
  const id = newId("sub");
  const items = given.items.map((item, index) => {
    return makeItem(account, id, prices[index] as Stripe.Price, item, period);
  });
  const card = given.card ? attachCard(account, customer.id, given.card).id : null;
  const subscription: Stripe.Subscription = {
    id,
    object: "subscription",
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: trialEnd ?? now,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: { proration_discounts: "included" }, type: "flexible" },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: given.cancelAtPeriodEnd ? period.end : null,
    cancel_at_period_end: given.cancelAtPeriodEnd ?? false,
    canceled_at: given.cancelAtPeriodEnd ? now : null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: "charge_automatically",
    created: now,
    currency: first.currency,
    customer: customer.id,
    customer_account: null,
    days_until_due: null,
    default_payment_method: card,
    default_source: null,
    default_tax_rates: [],
    description: given.description ?? null,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: "self" },
    },
    items: { object: "list", data: items, has_more: false, url: `/v1/subscription_items?subscription=${id}` },
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: given.metadata ?? {},
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: "off",
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: trialEnd ? "trialing" : "incomplete",
    test_clock: null,
    transfer_data: null,
    trial_end: trialEnd ?? null,
    trial_settings: {
      end_behavior: {
        billing_cycle_anchor: null,
        missing_payment_method: given.withoutCardAfterTrial ?? "create_invoice",
      },
    },
    trial_start: trialEnd ? now : null,
  };
  customer.currency ??= first.currency;
  const basis = {
    subscription,
    reason: "subscription_create" as const,
    lines: trialEnd ? [] : items.map((item) => wholeLine(item, period)),
    period,
  };
  const mustPay = given.paymentBehavior === "error_if_incomplete";
  if (mustPay && composeInvoice(account, basis).amount_due > 0) expectCard(account, subscription);

  account.books.subscriptions[id] = subscription;
  account.emit("customer.subscription.created", subscription);
  if (given.paymentBehavior === "default_incomplete" && !trialEnd) {
    finalizeInvoice(account, draftInvoice(account, basis));
  } else {
    bill(account, basis);
  }
  return subscription;
}

/** @throws {StripeFailure} when there is no card, or one that fails. */
function expectCard(account: Account, subscription: Stripe.Subscription): void {
  const card = cardOf(account, subscription);
  if (card === "none") throw nothingToPayWith();
  if (card === "fails") throw declined();
}

export interface SubscriptionUpdate {
  items?: ItemChange[] | undefined;
  prorationBehavior?: ProrationBehavior | undefined;
  prorationDate?: number | undefined;
  paymentBehavior?: PaymentBehavior | undefined;
  cancelAtPeriodEnd?: boolean | undefined;
  cancelAt?: number | null | undefined;
  trialEnd?: number | undefined;
  pauseCollection?: Stripe.Subscription.PauseCollection | null | undefined;
  card?: string | undefined;
  description?: string | null | undefined;
  metadata?: Stripe.Metadata | undefined;
}

export function updateSubscription(
  account: Account,
  subscription: Stripe.Subscription,
  given: SubscriptionUpdate,
): void {
  if (subscription.status === "canceled" || subscription.status === "incomplete_expired") {
    throw invalid("A canceled subscription can only update its cancellation_details and metadata.");
  }
  const now = account.now();
  const behavior = given.prorationBehavior ?? "create_prorations";
  const after = given.items && changedItems(account, subscription, given.items, given.prorationDate ?? now);
  const lines = after ? linesToBill(after, behavior) : [];
  const billsNow = after?.newPeriod !== undefined || (behavior === "always_invoice" && lines.length > 0);
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  if (billsNow && given.paymentBehavior === "error_if_incomplete" && total > 0) {
    expectCard(account, subscription);
  }

  change(account, subscription, (draft) => {
    if (given.card) draft.default_payment_method = attachCard(account, customerOf(draft), given.card).id;
    if (given.metadata) draft.metadata = { ...draft.metadata, ...given.metadata };
    if (given.description !== undefined) draft.description = given.description;
    if (given.pauseCollection !== undefined) draft.pause_collection = given.pauseCollection;
    if (given.trialEnd !== undefined) restartTrial(draft, given.trialEnd, now);
    if (after) draft.items = { ...draft.items, data: after.items };
    if (after?.newPeriod) draft.billing_cycle_anchor = after.newPeriod.start;
    if (given.cancelAt !== undefined) scheduleEnd(draft, given.cancelAt, false, now);
    if (given.cancelAtPeriodEnd !== undefined) {
      scheduleEnd(draft, given.cancelAtPeriodEnd ? periodOf(draft).end : null, given.cancelAtPeriodEnd, now);
    }
  });
  if (billsNow) {
    const period = after?.newPeriod ?? periodOf(subscription);
    bill(account, { subscription, reason: "subscription_update", lines, period });
  } else if (lines.length > 0) {
    const pending = account.books.pendingLines;
    pending[subscription.id] = [...(pending[subscription.id] ?? []), ...lines];
  }
}

/** What a change of items adds to the bill: prorations unless they are not wanted, and a new period in full. */
export function linesToBill(
  { items, prorations, usage, newPeriod }: ItemsAfter,
  behavior: ProrationBehavior,
): Stripe.InvoiceLineItem[] {
  return [
    ...(behavior === "none" ? [] : [...usage, ...prorations]),
    ...(newPeriod ? items.map((item) => wholeLine(item, newPeriod)) : []),
  ];
}

const customerOf = ({ customer }: Stripe.Subscription) =>
  typeof customer === "string" ? customer : customer.id;

function scheduleEnd(draft: Stripe.Subscription, at: number | null, atPeriodEnd: boolean, now: number): void {
  draft.cancel_at = at;
  draft.cancel_at_period_end = atPeriodEnd;
  draft.canceled_at = at === null ? null : now;
  draft.cancellation_details = {
    comment: null,
    feedback: null,
    feedback_option: null,
    reason: at === null ? null : "cancellation_requested",
  };
}

/** A trial's end that is now, or past, is found by the next look at what is due. */
function restartTrial(draft: Stripe.Subscription, end: number, now: number): void {
  const period = { start: periodOf(draft).start, end: Math.max(end, now) };
  draft.status = "trialing";
  draft.trial_start ??= now;
  draft.trial_end = period.end;
  draft.billing_cycle_anchor = period.end;
  draft.items = { ...draft.items, data: draft.items.data.map((item) => inPeriod(item, period)) };
}

export function pauseSubscription(account: Account, subscription: Stripe.Subscription): void {
  if (!["active", "trialing", "past_due"].includes(subscription.status)) {
    throw invalid(`A subscription that is ${subscription.status} cannot be paused.`);
  }
  change(
    account,
    subscription,
    (draft) => {
      draft.status = "paused";
      draft.status_details = {
        paused: {
          subscription: { type: "pause_requested" },
          transitioned_at: account.now(),
          type: "subscription",
        },
      };
    },
    ["customer.subscription.updated", "customer.subscription.paused"],
  );
}

/** A new period begins with the payment of its invoice; without one, it stays paused. */
export function resumeSubscription(account: Account, subscription: Stripe.Subscription): void {
  if (subscription.status !== "paused") throw invalid("Only a paused subscription can be resumed.");
  const [first] = subscription.items.data;
  if (!first) return;
  const period = periodFrom(account.now(), first.price);
  const invoice = draftInvoice(account, {
    subscription,
    reason: "subscription_update",
    lines: subscription.items.data.map((item) => wholeLine(item, period)),
    period,
  });
  finalizeInvoice(account, invoice);
  if (!attemptPayment(account, invoice)) {
    closeInvoice(account, invoice, "void");
    return;
  }
  change(
    account,
    subscription,
    (draft) => {
      draft.status = "active";
      delete draft.status_details;
      draft.billing_cycle_anchor = period.start;
      draft.items = { ...draft.items, data: draft.items.data.map((item) => inPeriod(item, period)) };
    },
    ["customer.subscription.updated", "customer.subscription.resumed"],
  );
}
