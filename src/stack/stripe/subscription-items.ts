import type Stripe from "stripe";
import { type Account, decimal, find, idOf, newId } from "./account.ts";
import { invalid } from "./failure.ts";
import { addInterval } from "./periods.ts";
import { withoutTiers } from "./shown.ts";
import { costOf, isMetered, usageOf } from "./usage.ts";

export interface Period {
  start: number;
  end: number;
}

/** A change of one item: of the one that `id` names, or a new one. */
export interface ItemChange {
  id?: string | undefined;
  price?: string | undefined;
  quantity?: number | undefined;
  deleted?: boolean | undefined;
  metadata?: Stripe.Metadata | undefined;
}

/** What an item costs for a period that begins: nothing, where usage is billed when the period is over. */
export const amountOf = (item: Stripe.SubscriptionItem): number =>
  (item.price.unit_amount ?? 0) * (item.quantity ?? 0);

export const periodOf = ({ items }: Stripe.Subscription): Period => ({
  start: items.data[0]?.current_period_start ?? 0,
  end: items.data[0]?.current_period_end ?? 0,
});

export function periodFrom(start: number, price: Stripe.Price, anchor = start): Period {
  return { start, end: price.recurring ? addInterval(start, price.recurring, anchor) : start };
}

/** @throws {StripeFailure} when the price does not exist, is not recurring, or is archived. */
export function recurringPrice(account: Account, id: string, param: string): Stripe.Price {
  const price = find(account.books.prices, "price", id, param);
  if (!price.recurring) throw invalid("The price specified is set to `type=one_time`.", param);
  if (!price.active) throw invalid("The price specified is inactive.", param);
  return price;
}

export function makeItem(
  account: Account,
  subscription: string,
  price: Stripe.Price,
  { quantity, metadata }: ItemChange,
  period: Period,
): Stripe.SubscriptionItem {
  const metered = price.recurring?.usage_type === "metered";
  if (metered && quantity !== undefined) {
    throw invalid("Quantity should not be specified where usage_type is `metered`.", "items");
  }
  return {
    id: newId("si"),
    object: "subscription_item",
    billing_thresholds: null,
    created: account.now(),
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata: metadata ?? {},
    plan: planOf(price),
    price: withoutTiers(price),
    ...(!metered && { quantity: quantity ?? 1 }),
    subscription,
    tax_rates: [],
  };
}

/** The line that bills an item for a whole period. */
export function lineOf(
  item: Stripe.SubscriptionItem,
  period: Period,
  { amount, proration = false, description }: { amount: number; proration?: boolean; description: string },
): Stripe.InvoiceLineItem {
  return {
    id: newId("il"),
    object: "line_item",
    amount,
    currency: item.price.currency,
    description,
    discount_amounts: [],
    discountable: !proration,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: item.metadata,
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration,
        proration_details: null,
        subscription: item.subscription,
        subscription_item: item.id,
      },
      type: "subscription_item_details",
    },
    period,
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: item.price.id, product: idOf(item.price.product) },
      type: "price_details",
      unit_amount_decimal: item.price.unit_amount_decimal,
    },
    quantity: item.quantity ?? null,
    quantity_decimal: item.quantity === undefined ? null : decimal(item.quantity),
    subscription: item.subscription,
    subtotal: amount,
    taxes: [],
  };
}

export const wholeLine = (item: Stripe.SubscriptionItem, period: Period): Stripe.InvoiceLineItem =>
  lineOf(item, period, { amount: amountOf(item), description: `${item.quantity ?? 0} × ${item.price.id}` });

/** The line that bills what was used of a metered item up to `end`, since the period, or the item in it, began. */
export function usageLine(
  account: Account,
  customer: string,
  item: Stripe.SubscriptionItem,
  period: Period,
): Stripe.InvoiceLineItem {
  const within = { start: Math.max(period.start, item.created), end: period.end };
  const usage = usageOf(account, customer, item.price, within);
  const line = lineOf(item, within, {
    amount: costOf(account, item.price.id, usage),
    description: `${usage} × ${item.price.id}`,
  });
  return { ...line, quantity: usage, quantity_decimal: decimal(usage) };
}

/** Credits what is left of a period that was billed: as on Stripe, whether it was paid for or not. */
export function unusedLines(subscription: Stripe.Subscription, at: number): Stripe.InvoiceLineItem[] {
  const { start, end } = periodOf(subscription);
  if (!["active", "past_due", "unpaid"].includes(subscription.status) || end <= start) return [];
  const left = Math.max(0, end - at) / (end - start);
  return subscription.items.data
    .map((item) => ({ item, amount: -Math.round(amountOf(item) * left) }))
    .filter(({ amount }) => amount !== 0)
    .map(({ item, amount }) =>
      lineOf(
        item,
        { start: at, end },
        {
          amount,
          proration: true,
          description: `Unused time on ${item.quantity} × ${item.price.id}`,
        },
      ),
    );
}

/** What changing items leads to: the items after it, and what is credited and charged for the time that is left. */
export interface ItemsAfter {
  items: Stripe.SubscriptionItem[];
  prorations: Stripe.InvoiceLineItem[];
  /** What was used of metered items that are gone. */
  usage: Stripe.InvoiceLineItem[];
  /** The interval is another one: a new period begins, and is billed at once. */
  newPeriod: Period | undefined;
}

export function changedItems(
  account: Account,
  subscription: Stripe.Subscription,
  changes: ItemChange[],
  at: number,
): ItemsAfter {
  const period = periodOf(subscription);
  const prorate = subscription.status !== "trialing" && period.end > period.start;
  const left = prorate ? Math.max(0, period.end - at) / (period.end - period.start) : 0;
  const prorations: Stripe.InvoiceLineItem[] = [];
  const usage: Stripe.InvoiceLineItem[] = [];
  const note = (item: Stripe.SubscriptionItem, sign: 1 | -1) => {
    const amount = sign * Math.round(amountOf(item) * left);
    if (amount === 0) return;
    const description = `${sign > 0 ? "Remaining" : "Unused"} time on ${item.quantity ?? 0} × ${item.price.id}`;
    prorations.push(lineOf(item, { start: at, end: period.end }, { amount, proration: true, description }));
  };

  let items = [...subscription.items.data];
  for (const [index, change] of changes.entries()) {
    const old = change.id ? items.find(({ id }) => id === change.id) : undefined;
    if (change.id && !old)
      throw invalid(`No such subscription item: '${change.id}'`, `items[${index}][id]`, "resource_missing");
    if (change.deleted) {
      items = items.filter((item) => item !== old);
      if (old && isMetered(old)) {
        // Up to this moment, whatever is prorated from when: from now on the item is gone.
        const used = { ...period, end: account.now() };
        usage.push(usageLine(account, idOf(subscription.customer), old, used));
      } else if (old) note(old, -1);
      continue;
    }
    const price = change.price ? recurringPrice(account, change.price, `items[${index}][price]`) : old?.price;
    if (!price) throw invalid("An item needs a price.", "items", "parameter_missing");
    if (price.currency !== subscription.currency) {
      throw invalid(
        `The price has another currency than the subscription (${subscription.currency}).`,
        "items",
      );
    }
    if (!old) {
      if (items.some((item) => item.price.id === price.id)) {
        throw invalid(`The subscription has the price \`${price.id}\` already.`, "items");
      }
      const added = makeItem(account, subscription.id, price, change, period);
      items.push(added);
      note(added, 1);
      continue;
    }
    if (price.id !== old.price.id && (isMetered(old) || isMetered({ price }))) {
      throw invalid("The stand-in swaps no metered price: delete its item and add another.", "items");
    }
    if (isMetered(old) && change.quantity !== undefined) {
      throw invalid("Quantity should not be specified where usage_type is `metered`.", "items");
    }
    const changed = {
      ...old,
      price,
      plan: planOf(price),
      ...(change.quantity !== undefined && { quantity: change.quantity }),
      metadata: { ...old.metadata, ...change.metadata },
    };
    items = items.map((item) => (item === old ? changed : item));
    if (amountOf(changed) !== amountOf(old) || changed.price.id !== old.price.id) {
      note(old, -1);
      note(changed, 1);
    }
  }
  const [first] = items;
  if (!first) throw invalid("A subscription needs at least one item.", "items");

  const before = subscription.items.data[0]?.price.recurring;
  const after = first.price.recurring;
  const sameInterval =
    before?.interval === after?.interval && before?.interval_count === after?.interval_count;
  if (items.some(({ price }) => price.recurring?.interval !== after?.interval)) {
    throw invalid("All prices of a subscription need the same interval here.", "items");
  }
  const newPeriod =
    sameInterval || subscription.status === "trialing" ? undefined : periodFrom(at, first.price);
  return {
    items: newPeriod ? items.map((item) => inPeriod(item, newPeriod)) : items,
    // What a new period bills in full is not charged for the rest of the old one too.
    prorations: newPeriod ? prorations.filter(({ amount }) => amount < 0) : prorations,
    usage,
    newPeriod,
  };
}

export const inPeriod = (item: Stripe.SubscriptionItem, { start, end }: Period): Stripe.SubscriptionItem => ({
  ...item,
  current_period_start: start,
  current_period_end: end,
});

function planOf(price: Stripe.Price): Stripe.Plan {
  return {
    id: price.id,
    object: "plan",
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: price.billing_scheme,
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval ?? "month",
    interval_count: price.recurring?.interval_count ?? 1,
    livemode: price.livemode,
    metadata: price.metadata,
    meter: price.recurring?.meter ?? null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: null,
    usage_type: price.recurring?.usage_type ?? "licensed",
  };
}
