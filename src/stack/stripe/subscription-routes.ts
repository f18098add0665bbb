import type Stripe from "stripe";
import { z } from "zod";
import { type Account, find, idOf } from "./account.ts";
import { invalid, missing } from "./failure.ts";
import { created, newestFirst, page, paging, within } from "./pages-of-lists.ts";
import { flag, list, metadata, orUnset, required, text, whole } from "./parameters.ts";
import { bill } from "./payments.ts";
import { type Route, route } from "./route.ts";
import { end } from "./subscription-changes.ts";
import { periodOf, unusedLines, usageLine } from "./subscription-items.ts";
import {
  createSubscription,
  pauseSubscription,
  resumeSubscription,
  type SubscriptionUpdate,
  updateSubscription,
} from "./subscriptions.ts";
import { isMetered } from "./usage.ts";

export const itemFields = { price: text, quantity: whole, metadata };
export const itemChange = z
  .strictObject({ ...itemFields, id: text, deleted: flag, clear_usage: flag })
  .partial();

const paymentBehavior = z.enum(["allow_incomplete", "default_incomplete", "error_if_incomplete"]);
export const prorationBehavior = z.enum(["always_invoice", "create_prorations", "none"]);
const missingPaymentMethod = z.enum(["cancel", "create_invoice", "pause"]);
export const trialSettings = z.strictObject({
  end_behavior: z.strictObject({ missing_payment_method: missingPaymentMethod }),
});

const shared = {
  items: list(itemChange),
  metadata,
  description: orUnset(text),
  default_payment_method: text,
  payment_behavior: paymentBehavior,
  proration_behavior: prorationBehavior,
  cancel_at_period_end: flag,
  trial_end: z.union([z.literal("now"), whole]),
  trial_settings: trialSettings,
  collection_method: z.literal("charge_automatically"),
  off_session: flag,
};

const prorating = {
  proration_behavior: prorationBehavior,
  proration_date: whole,
  payment_behavior: paymentBehavior,
  off_session: flag,
};

export function subscriptionRoutes(account: Account): Route[] {
  const { subscriptions } = account.books;
  const get = (id: string) => find(subscriptions, "subscription", id);
  const byItem = (id: string) => {
    const owner = Object.values(subscriptions).find(({ items }) => items.data.some((item) => item.id === id));
    if (!owner) throw invalid(`No such subscription item: '${id}'`, "id", "resource_missing");
    return owner;
  };
  const itemOf = (owner: Stripe.Subscription, id: string) =>
    find(Object.fromEntries(owner.items.data.map((item) => [item.id, item])), "subscription item", id);

  return [
    route(
      "POST",
      "/subscriptions",
      { ...shared, customer: text, trial_period_days: whole, currency: text },
      (given) =>
        createSubscription(account, {
          customer: required(given.customer, "customer"),
          items: required(given.items, "items"),
          trialEnd: typeof given.trial_end === "number" ? given.trial_end : undefined,
          trialDays: given.trial_period_days,
          withoutCardAfterTrial: given.trial_settings?.end_behavior.missing_payment_method,
          card: given.default_payment_method,
          paymentBehavior: given.payment_behavior,
          cancelAtPeriodEnd: given.cancel_at_period_end,
          description: given.description,
          metadata: given.metadata,
        }),
    ),
    route(
      "GET",
      "/subscriptions",
      { ...paging, ...created, customer: text, status: text, price: text },
      (given) =>
        page(
          newestFirst(subscriptions).filter(
            (one) =>
              (!given.customer || one.customer === given.customer) &&
              (!given.price || one.items.data.some(({ price }) => price.id === given.price)) &&
              hasStatus(one, given.status) &&
              within(one.created, given.created),
          ),
          "/v1/subscriptions",
          given,
        ),
    ),
    route("GET", "/subscriptions/:id", {}, (_given, id) => get(id)),
    route(
      "POST",
      "/subscriptions/:id",
      {
        ...shared,
        ...prorating,
        cancel_at: orUnset(z.union([z.enum(["min_period_end", "max_period_end"]), whole])),
        pause_collection: orUnset(
          z.strictObject({
            behavior: z.enum(["keep_as_draft", "mark_uncollectible", "void"]),
            resumes_at: whole.optional(),
          }),
        ),
        cancellation_details: z.strictObject({ comment: text, feedback: text }).partial(),
      },
      (given, id) => {
        const subscription = get(id);
        updateSubscription(account, subscription, {
          items: given.items,
          prorationBehavior: given.proration_behavior,
          prorationDate: given.proration_date,
          paymentBehavior: given.payment_behavior,
          cancelAtPeriodEnd: given.cancel_at_period_end,
          cancelAt:
            typeof given.cancel_at === "string"
              ? subscription.items.data[0]?.current_period_end
              : given.cancel_at,
          trialEnd: given.trial_end === "now" ? account.now() : given.trial_end,
          pauseCollection: given.pause_collection && {
            behavior: given.pause_collection.behavior,
            resumes_at: given.pause_collection.resumes_at ?? null,
          },
          card: given.default_payment_method,
          description: given.description,
          metadata: given.metadata,
        } satisfies SubscriptionUpdate);
        return subscription;
      },
    ),
    route(
      "DELETE",
      "/subscriptions/:id",
      {
        invoice_now: flag,
        prorate: flag,
        cancellation_details: z.strictObject({ comment: text, feedback: text }).partial(),
      },
      (given, id) => {
        const subscription = get(id);
        if (subscription.status === "canceled") throw missing("subscription", id);
        const period = { ...periodOf(subscription), end: account.now() };
        const lines = [
          ...subscription.items.data
            .filter(isMetered)
            .map((item) => usageLine(account, idOf(subscription.customer), item, period)),
          ...(given.prorate ? unusedLines(subscription, account.now()) : []),
        ];
        end(account, subscription, "cancellation_requested");
        if (given.invoice_now && lines.length > 0) {
          bill(account, { subscription, reason: "subscription_update", lines, period });
        }
        return subscription;
      },
    ),
    route("POST", "/subscriptions/:id/pause", { type: z.literal("subscription") }, (_given, id) => {
      const subscription = get(id);
      pauseSubscription(account, subscription);
      return subscription;
    }),
    route(
      "POST",
      "/subscriptions/:id/resume",
      { ...prorating, billing_cycle_anchor: z.literal("now") },
      (_given, id) => {
        const subscription = get(id);
        resumeSubscription(account, subscription);
        return subscription;
      },
    ),
    route("GET", "/subscription_items", { ...paging, subscription: text }, (given) => {
      const owner = get(required(given.subscription, "subscription"));
      return page(owner.items.data, "/v1/subscription_items", given);
    }),
    route("GET", "/subscription_items/:id", {}, (_given, id) => itemOf(byItem(id), id)),
    route(
      "POST",
      "/subscription_items",
      { ...itemFields, ...prorating, subscription: text },
      ({ price, quantity, metadata, ...given }) => {
        const owner = get(required(given.subscription, "subscription"));
        const known = new Set(owner.items.data.map(({ id }) => id));
        updateSubscription(account, owner, { ...behaviorOf(given), items: [{ price, quantity, metadata }] });
        const added = owner.items.data.find(({ id }) => !known.has(id));
        return added ?? owner;
      },
    ),
    route("POST", "/subscription_items/:id", { ...itemFields, ...prorating }, (given, id) => {
      const { price, quantity, metadata } = given;
      const owner = byItem(id);
      updateSubscription(account, owner, {
        ...behaviorOf(given),
        items: [{ id, price, quantity, metadata }],
      });
      return itemOf(owner, id);
    }),
    route("DELETE", "/subscription_items/:id", { ...prorating, clear_usage: flag }, (given, id) => {
      updateSubscription(account, byItem(id), { ...behaviorOf(given), items: [{ id, deleted: true }] });
      return { id, object: "subscription_item", deleted: true } satisfies Stripe.DeletedSubscriptionItem;
    }),
  ];
}

type Prorating = z.infer<
  z.ZodObject<{ [Name in keyof typeof prorating]: z.ZodOptional<(typeof prorating)[Name]> }>
>;

const behaviorOf = (given: Prorating): SubscriptionUpdate => ({
  prorationBehavior: given.proration_behavior,
  prorationDate: given.proration_date,
  paymentBehavior: given.payment_behavior,
});

/** Without a status the canceled ones are left out. */
function hasStatus({ status }: Stripe.Subscription, wanted: string | undefined): boolean {
  if (wanted === "all") return true;
  if (wanted === "ended") return status === "canceled" || status === "incomplete_expired";
  return wanted ? status === wanted : status !== "canceled";
}
