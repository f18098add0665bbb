import { randomBytes } from "node:crypto";
import type Stripe from "stripe";
import { missing } from "./failure.ts";

/** The version whose shapes everything here has: tsc fails when the SDK moves to another one. */
export const API_VERSION: Stripe.LatestApiVersion = "2026-10-28.endive";

/** What becomes of a subscription whose last retry has failed; the dashboard's "Manage failed payments". */
export type AfterRetries = "canceled" | "unpaid" | "past_due";

/** An event as it happened: its text is kept, so that nothing changes what it said. */
export interface RecordedEvent {
  id: string;
  type: Stripe.Event["type"];
  created: number;
  /** The event as JSON: what a webhook's body is. */
  body: string;
}

/** Everything that an account holds. All of it is JSON, so that it can be written to a file. */
export interface Books {
  customers: Record<string, Stripe.Customer | Stripe.DeletedCustomer>;
  paymentMethods: Record<string, Stripe.PaymentMethod>;
  products: Record<string, Stripe.Product>;
  prices: Record<string, Stripe.Price>;
  /** With all of their items: answers show the first ten. */
  subscriptions: Record<string, Stripe.Subscription>;
  /** With all of their lines. */
  invoices: Record<string, Stripe.Invoice>;
  /** Prorations that wait for the subscription's next invoice. */
  pendingLines: Record<string, Stripe.InvoiceLineItem[]>;
  checkoutSessions: Record<string, Stripe.Checkout.Session>;
  portalSessions: Record<string, Stripe.BillingPortal.Session>;
  meters: Record<string, Stripe.Billing.Meter>;
  meterEvents: Record<string, Stripe.Billing.MeterEvent>;
  events: RecordedEvent[];
  /** What a session was made with, and its object does not show. */
  checkoutOrders: Record<string, CheckoutOrder>;
  /** Subscriptions that were told of their trial's end. */
  trialsAnnounced: Record<string, true>;
  invoicesNumbered: number;
}

export interface CheckoutOrder {
  items: { price: string; quantity?: number | undefined }[];
  trialDays?: number | undefined;
  metadata: Stripe.Metadata;
}

/** One Stripe account: what it holds, what time it is there, and what it tells of. */
export interface Account {
  readonly books: Books;
  /** Its pages' address. */
  readonly url: string;
  readonly afterRetries: AfterRetries;
  /** Seconds since 1970. */
  now(): number;
  /** Records that something happened to an object. */
  emit(type: Stripe.Event["type"], object: object, previous?: object): void;
}

export function emptyBooks(): Books {
  return {
    customers: {},
    paymentMethods: {},
    products: {},
    prices: {},
    subscriptions: {},
    invoices: {},
    pendingLines: {},
    checkoutSessions: {},
    portalSessions: {},
    meters: {},
    meterEvents: {},
    events: [],
    checkoutOrders: {},
    trialsAnnounced: {},
    invoicesNumbered: 0,
  };
}

export const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString("hex")}`;

/** @throws {StripeFailure} 404 when there is none. */
export function find<T>(things: Record<string, T>, kind: string, id: string, param?: string): T {
  const thing = Object.hasOwn(things, id) ? things[id] : undefined;
  if (!thing) throw missing(kind, id, param);
  return thing;
}

/** A customer who is not deleted. */
export function findCustomer(account: Account, id: string, param = "customer"): Stripe.Customer {
  const customer = find(account.books.customers, "customer", id, param);
  if (customer.deleted) throw missing("customer", id, param);
  return customer;
}

/** The id of a field that may be expanded: here it never is. */
export const idOf = (reference: string | { id: string } | null | undefined): string =>
  typeof reference === "string" ? reference : (reference?.id ?? "");

/** A decimal is text on the wire; the SDK's type is what it makes of it. */
export const decimal = (value: number | string): Stripe.Decimal => String(value) as unknown as Stripe.Decimal;
