import type Stripe from "stripe";
import { AppError } from "../_shared/errors.ts";
import type { BillingContext } from "./backend.ts";
import type { Chosen } from "./selection.ts";

type Items = NonNullable<BillingContext["subscription"]>["items"];
type ItemChange = Stripe.SubscriptionUpdateParams.Item;

/** How long a preview holds, in seconds. */
const PREVIEW_HOLDS = 3600;

/**
 * What to tell Stripe so that the subscription becomes what was chosen. With its price a plan's prices by usage are
 * swapped: each is an item of its own that ends, and has what was used of it billed, or begins. Who keeps the price keeps
 * those that were bought with it. Items that belong to no plan of ours are somebody's
 * arrangement at Stripe, and stay.
 */
export function itemChanges(items: Items, { plan, metered, addons }: Chosen): ItemChange[] {
  const planItem = items.find(({ kind, metered }) => kind === "plan" && !metered);
  const swapped = planItem?.price_id !== plan.price;
  const meteredItems = items.filter(({ kind, metered }) => kind === "plan" && metered);
  const addonItems = items.filter(({ kind }) => kind === "addon");
  return [
    { ...plan, ...(planItem && { id: planItem.id }) },
    ...(swapped ? meteredItems.map(({ id }) => ({ id, deleted: true })) : []),
    ...(swapped ? metered.map((price) => ({ price })) : []),
    ...addons.map((line) => {
      const item = addonItems.find(({ price_id }) => price_id === line.price);
      return { ...line, ...(item && { id: item.id }) };
    }),
    ...addonItems.filter(({ price_id }) => !addons.some(({ price }) => price === price_id))
      .map(({ id }) => ({ id, deleted: true })),
  ];
}

/**
 * Checks the moment of a preview that is to be charged as it was shown: of one before the last bill, something has changed
 * since, and time would be credited that was charged for less.
 *
 * @throws {AppError} `preview_expired`.
 */
export function checkPreview(moment: number, billedAt: number, now: number): void {
  const seconds = Math.max(Math.floor(now / 1000), billedAt);
  if (moment > seconds + 60 || moment < Math.max(seconds - PREVIEW_HOLDS, billedAt)) {
    throw new AppError("preview_expired");
  }
}

/** What an invoice of a preview says, in the words of our schema. */
export function previewOf(invoice: Stripe.Invoice, proration_date: number) {
  return {
    currency: invoice.currency,
    amount_due: invoice.amount_due,
    total: invoice.total,
    lines: invoice.lines.data.map(({ description, amount, parent }) => ({
      description,
      amount,
      proration: parent?.subscription_item_details?.proration ?? parent?.invoice_item_details?.proration ??
        false,
    })),
    proration_date,
  };
}
