import type Stripe from "stripe";

/** What the database takes of a customer, a subscription or an invoice. Times are Stripe's: seconds since 1970. */
export type StripeObject = SubscriptionObject | InvoiceObject | CustomerObject | GoneObject;

interface Common {
  id: string;
  customer_id: string;
  livemode: boolean;
}

/** An object that is not at Stripe any more. */
export interface GoneObject extends Common {
  kind: "subscription" | "invoice" | "customer";
  deleted: true;
}

export interface CustomerObject extends Common {
  kind: "customer";
}

export interface SubscriptionObject extends Common {
  kind: "subscription";
  status: string;
  currency: string;
  created: number;
  trial_end: number | null;
  cancel_at: number | null;
  cancel_at_period_end: boolean;
  canceled_at: number | null;
  ended_at: number | null;
  pause_collection: { behavior: string; resumes_at: number | null } | null;
  items: {
    id: string;
    price_id: string;
    product_id: string;
    quantity: number | null;
    /** Billed by usage. */
    metered: boolean;
    created: number;
    current_period_start: number;
    current_period_end: number;
  }[];
}

export interface InvoiceObject extends Common {
  kind: "invoice";
  subscription_id: string | null;
  number: string | null;
  status: string | null;
  currency: string;
  total: number;
  subtotal: number;
  tax: number | null;
  amount_due: number;
  amount_paid: number;
  amount_remaining: number;
  hosted_invoice_url: string | null;
  invoice_pdf: string | null;
  period_start: number;
  period_end: number;
  due_date: number | null;
  paid_at: number | null;
  created: number;
  lines: {
    description: string | null;
    amount: number;
    quantity: number | null;
    price_id: string | null;
    period_start: number;
    period_end: number;
  }[];
}

const MOST_LINES = 100;

/** True for a status that a subscription never leaves. */
export const isOver = (status: string): boolean => status === "canceled" || status === "incomplete_expired";

/**
 * What is stored of a subscription.
 *
 * @throws {Error} when items are missing: see `withAllItems`. To store a part would delete the rest.
 */
export function normalizeSubscription(subscription: Stripe.Subscription): SubscriptionObject {
  if (subscription.items.has_more) throw new Error(`${subscription.id} has items on further pages.`);
  return {
    kind: "subscription",
    id: subscription.id,
    customer_id: idOf(subscription.customer),
    livemode: subscription.livemode,
    status: subscription.status,
    currency: subscription.currency,
    created: subscription.created,
    trial_end: subscription.trial_end,
    cancel_at: subscription.cancel_at,
    cancel_at_period_end: subscription.cancel_at_period_end,
    canceled_at: subscription.canceled_at,
    ended_at: subscription.ended_at,
    pause_collection: subscription.pause_collection && {
      behavior: subscription.pause_collection.behavior,
      resumes_at: subscription.pause_collection.resumes_at,
    },
    items: subscription.items.data.map((item) => ({
      id: item.id,
      price_id: item.price.id,
      product_id: idOf(item.price.product),
      quantity: item.quantity ?? null,
      metered: item.price.recurring?.usage_type === "metered",
      created: item.created,
      current_period_start: item.current_period_start,
      current_period_end: item.current_period_end,
    })),
  };
}

/** The subscription with the items that are on further pages. */
export async function withAllItems(
  stripe: Stripe,
  subscription: Stripe.Subscription,
  options?: Stripe.RequestOptions,
): Promise<Stripe.Subscription> {
  if (!subscription.items.has_more) return subscription;
  const data: Stripe.SubscriptionItem[] = [];
  const pages = stripe.subscriptionItems.list({ subscription: subscription.id, limit: 100 }, options);
  for await (const item of pages) data.push(item);
  return { ...subscription, items: { ...subscription.items, data, has_more: false } };
}

/** What is stored of an invoice: of its lines the first that came with it. */
export function normalizeInvoice(invoice: Stripe.Invoice): InvoiceObject {
  const taxes = invoice.total_taxes?.reduce((sum, { amount }) => sum + amount, 0);
  return {
    kind: "invoice",
    id: invoice.id,
    customer_id: idOf(invoice.customer),
    livemode: invoice.livemode,
    subscription_id: idOf(invoice.parent?.subscription_details?.subscription) || null,
    number: invoice.number,
    status: invoice.status,
    currency: invoice.currency,
    total: invoice.total,
    subtotal: invoice.subtotal,
    tax: taxes ?? null,
    amount_due: invoice.amount_due,
    amount_paid: invoice.amount_paid,
    amount_remaining: invoice.amount_remaining,
    hosted_invoice_url: invoice.hosted_invoice_url ?? null,
    invoice_pdf: invoice.invoice_pdf ?? null,
    period_start: invoice.period_start,
    period_end: invoice.period_end,
    due_date: invoice.due_date,
    paid_at: invoice.status_transitions.paid_at,
    created: invoice.created,
    lines: invoice.lines.data.slice(0, MOST_LINES).map((line) => ({
      description: line.description,
      amount: line.amount,
      quantity: line.quantity,
      price_id: idOf(line.pricing?.price_details?.price) || null,
      period_start: line.period.start,
      period_end: line.period.end,
    })),
  };
}

/** The id of a field that may hold the object itself. */
function idOf(reference: string | { id: string } | null | undefined): string {
  return typeof reference === "string" ? reference : reference?.id ?? "";
}
