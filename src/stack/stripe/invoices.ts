import type Stripe from "stripe";
import { type Account, findCustomer, idOf, newId } from "./account.ts";
import type { Period } from "./subscription-items.ts";

export interface InvoiceBasis {
  subscription: Stripe.Subscription;
  reason: Stripe.Invoice.BillingReason;
  lines: Stripe.InvoiceLineItem[];
  period: Period;
}

/** An invoice as a draft; a preview is one that nobody keeps. */
export function composeInvoice(
  account: Account,
  { subscription, reason, lines, period }: InvoiceBasis,
  id = newId("in"),
): Stripe.Invoice {
  const customer = findCustomer(account, idOf(subscription.customer));
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  const due = Math.max(0, total + customer.balance);
  return {
    id,
    object: "invoice",
    account_country: "US",
    account_name: "Stand-in",
    account_tax_ids: null,
    amount_due: due,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: due,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: true,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: reason,
    collection_method: "charge_automatically",
    created: account.now(),
    currency: subscription.currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_shipping: null,
    customer_tax_exempt: customer.tax_exempt ?? null,
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: [],
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: "self" },
    last_finalization_error: null,
    latest_revision: null,
    lines: {
      object: "list",
      data: lines.map((line) => ({ ...line, invoice: id })),
      has_more: false,
      url: `/v1/invoices/${id}/lines`,
    },
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    parent: {
      quote_details: null,
      subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
      type: "subscription_details",
    },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: period.end,
    period_start: period.start,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: customer.balance,
    statement_descriptor: null,
    status: "draft",
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: total,
    subtotal_excluding_tax: total,
    test_clock: null,
    total,
    total_discount_amounts: [],
    total_excluding_tax: total,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  };
}

export function draftInvoice(account: Account, basis: InvoiceBasis): Stripe.Invoice {
  const invoice = composeInvoice(account, basis);
  account.books.invoices[invoice.id] = invoice;
  basis.subscription.latest_invoice = invoice.id;
  account.emit("invoice.created", invoice);
  return invoice;
}

/** Gives a draft other lines. */
export function relineInvoice(
  account: Account,
  invoice: Stripe.Invoice,
  data: Stripe.InvoiceLineItem[],
): void {
  const customer = findCustomer(account, idOf(invoice.customer));
  const total = data.reduce((sum, { amount }) => sum + amount, 0);
  invoice.lines = { ...invoice.lines, data };
  invoice.subtotal = total;
  invoice.subtotal_excluding_tax = total;
  invoice.total = total;
  invoice.total_excluding_tax = total;
  invoice.amount_due = Math.max(0, total + customer.balance);
  invoice.amount_remaining = invoice.amount_due;
}

/** From here on its amounts stand: it takes what credit the customer has, or leaves them some. */
export function finalizeInvoice(account: Account, invoice: Stripe.Invoice): void {
  const customer = findCustomer(account, idOf(invoice.customer));
  const after = invoice.total + customer.balance;
  invoice.starting_balance = customer.balance;
  invoice.amount_due = Math.max(0, after);
  invoice.amount_remaining = invoice.amount_due;
  invoice.ending_balance = Math.min(0, after);
  customer.balance = invoice.ending_balance;
  account.books.invoicesNumbered += 1;
  invoice.number = `STANDIN-${String(account.books.invoicesNumbered).padStart(4, "0")}`;
  invoice.status = "open";
  invoice.automatically_finalizes_at = null;
  invoice.effective_at = account.now();
  invoice.status_transitions.finalized_at = account.now();
  invoice.hosted_invoice_url = `${account.url}/invoices/${invoice.id}`;
  invoice.invoice_pdf = `${account.url}/invoices/${invoice.id}/pdf`;
  account.emit("invoice.finalized", invoice);
}

/** Ends a finalized invoice that will not be paid. */
export function closeInvoice(
  account: Account,
  invoice: Stripe.Invoice,
  status: "void" | "uncollectible",
): void {
  invoice.status = status;
  invoice.auto_advance = false;
  invoice.next_payment_attempt = null;
  if (status === "void") {
    invoice.amount_remaining = 0;
    invoice.status_transitions.voided_at = account.now();
    account.emit("invoice.voided", invoice);
  } else {
    invoice.status_transitions.marked_uncollectible_at = account.now();
    account.emit("invoice.marked_uncollectible", invoice);
  }
}

export const subscriptionOf = (account: Account, invoice: Stripe.Invoice): Stripe.Subscription | undefined =>
  account.books.subscriptions[idOf(invoice.parent?.subscription_details?.subscription)];
