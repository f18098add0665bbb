import type Stripe from "stripe";
import { z } from "zod";
import { type Account, find, idOf, newId } from "./account.ts";
import { declined, invalid } from "./failure.ts";
import { closeInvoice, composeInvoice, finalizeInvoice } from "./invoices.ts";
import { created, newestFirst, page, paging, within } from "./pages-of-lists.ts";
import { flag, list, required, text, whole } from "./parameters.ts";
import { attemptPayment, markPaid } from "./payments.ts";
import { type Route, route } from "./route.ts";
import { changedItems, periodFrom, periodOf, usageLine, wholeLine } from "./subscription-items.ts";
import { itemChange, prorationBehavior } from "./subscription-routes.ts";
import { linesToBill } from "./subscriptions.ts";
import { isMetered } from "./usage.ts";

export function invoiceRoutes(account: Account): Route[] {
  const { invoices, subscriptions } = account.books;
  const get = (id: string) => find(invoices, "invoice", id);
  const open = (id: string) => {
    const invoice = get(id);
    if (invoice.status === "draft") finalizeInvoice(account, invoice);
    if (invoice.status !== "open") throw invalid(`Invoice is already ${invoice.status}`, "id");
    return invoice;
  };

  return [
    route(
      "GET",
      "/invoices",
      { ...paging, ...created, customer: text, subscription: text, status: text },
      (given) =>
        page(
          newestFirst(invoices).filter(
            (one) =>
              (!given.customer || one.customer === given.customer) &&
              (!given.subscription ||
                idOf(one.parent?.subscription_details?.subscription) === given.subscription) &&
              (!given.status || one.status === given.status) &&
              within(one.created, given.created),
          ),
          "/v1/invoices",
          given,
        ),
    ),
    route("GET", "/invoices/:id", {}, (_given, id) => get(id)),
    route("GET", "/invoices/:id/lines", paging, (given, id) =>
      page(get(id).lines.data, `/v1/invoices/${id}/lines`, given),
    ),
    route("POST", "/invoices/:id/finalize", { auto_advance: flag }, (_given, id) => {
      const invoice = get(id);
      if (invoice.status !== "draft") throw invalid("This invoice is already finalized.", "id");
      finalizeInvoice(account, invoice);
      return invoice;
    }),
    route("POST", "/invoices/:id/pay", { paid_out_of_band: flag, off_session: flag }, (given, id) => {
      const invoice = open(id);
      if (given.paid_out_of_band) markPaid(account, invoice);
      else if (!attemptPayment(account, invoice)) throw declined();
      return invoice;
    }),
    route("POST", "/invoices/:id/void", {}, (_given, id) => {
      const invoice = open(id);
      closeInvoice(account, invoice, "void");
      return invoice;
    }),
    route("POST", "/invoices/:id/mark_uncollectible", {}, (_given, id) => {
      const invoice = open(id);
      closeInvoice(account, invoice, "uncollectible");
      return invoice;
    }),
    route(
      "POST",
      "/invoices/create_preview",
      {
        customer: text,
        subscription: text,
        subscription_details: z
          .strictObject({
            items: list(itemChange),
            proration_behavior: prorationBehavior,
            proration_date: whole,
            cancel_at_period_end: flag,
          })
          .partial(),
      },
      (given) => {
        const id = required(given.subscription, "subscription");
        return preview(account, find(subscriptions, "subscription", id), given.subscription_details ?? {});
      },
    ),
  ];
}

interface Previewed {
  items?: z.infer<typeof itemChange>[] | undefined;
  proration_behavior?: z.infer<typeof prorationBehavior> | undefined;
  proration_date?: number | undefined;
  cancel_at_period_end?: boolean | undefined;
}

/** The next invoice if the change were made: at once what it bills at once, else what waits and the next period. */
function preview(account: Account, subscription: Stripe.Subscription, given: Previewed): Stripe.Invoice {
  if (subscription.status === "canceled") throw invalid("The subscription is canceled.", "subscription");
  const behavior = given.proration_behavior ?? "create_prorations";
  const after = changedItems(account, subscription, given.items ?? [], given.proration_date ?? account.now());
  const lines = linesToBill(after, behavior);
  const current = periodOf(subscription);
  const id = newId("upcoming_in");
  if (after.newPeriod || (behavior === "always_invoice" && lines.length > 0)) {
    const period = after.newPeriod ?? current;
    return composeInvoice(account, { subscription, reason: "subscription_update", lines, period }, id);
  }
  const ends = given.cancel_at_period_end ?? subscription.cancel_at_period_end;
  const [first] = after.items;
  const next =
    first && !ends ? periodFrom(current.end, first.price, subscription.billing_cycle_anchor) : undefined;
  const all = [
    ...(account.books.pendingLines[subscription.id] ?? []),
    ...lines,
    ...after.items
      .filter(isMetered)
      .map((item) => usageLine(account, idOf(subscription.customer), item, current)),
    ...(next ? after.items.filter((item) => !isMetered(item)).map((item) => wholeLine(item, next)) : []),
  ];
  return composeInvoice(
    account,
    { subscription, reason: "upcoming", lines: all, period: next ?? current },
    id,
  );
}
