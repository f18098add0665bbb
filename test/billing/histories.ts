import type Stripe from "stripe";
import { type Account, emptyBooks } from "../../src/stack/stripe/account.ts";
import { CARD_THAT_FAILS, CARD_THAT_PAYS } from "../../src/stack/stripe/cards.ts";
import { catalogRoutes } from "../../src/stack/stripe/catalog.ts";
import { type ClockedAccount, createAccount } from "../../src/stack/stripe/clock.ts";
import { customerRoutes } from "../../src/stack/stripe/customers.ts";
import { attemptPayment } from "../../src/stack/stripe/payments.ts";
import { DAY, HOUR } from "../../src/stack/stripe/periods.ts";
import type { Route } from "../../src/stack/stripe/route.ts";
import { end } from "../../src/stack/stripe/subscription-changes.ts";
import {
  createSubscription,
  type NewSubscription,
  pauseSubscription,
  resumeSubscription,
  type SubscriptionUpdate,
  updateSubscription,
} from "../../src/stack/stripe/subscriptions.ts";

/** One customer at Stripe, at some point of a history. */
export interface World extends ClockedAccount {
  customer: string;
  subscription: Stripe.Subscription | undefined;
}

/** What happens at Stripe, change after change. Each change makes an event or more. */
export interface History {
  name: string;
  afterRetries?: Account["afterRetries"];
  changes: ((world: World) => void)[];
}

const STARTS_AT = Date.UTC(2026, 10, 28) / 1000;

// One catalogue for all worlds, so that its prices are a plan's.
const { account: shop } = createAccount({ startsAt: STARTS_AT });
const call = (routes: Route[], method: string, path: string, form: Record<string, unknown>) =>
  routes.find((route) => route.method === method && route.path === path)?.call(form as never, "") as {
    id: string;
  };
const product = call(catalogRoutes(shop), "POST", "/products", { name: "Convergence" }).id;
const [cheap = "", dear = ""] = ["1000", "4000"].map(
  (unit_amount) =>
    call(catalogRoutes(shop), "POST", "/prices", {
      product,
      currency: "usd",
      unit_amount,
      recurring: { interval: "month" },
    }).id,
);
export const PRODUCT = product;

export function createWorld({ afterRetries = "canceled" }: History): World {
  const { products, prices } = shop.books;
  const clocked = createAccount({
    startsAt: STARTS_AT,
    afterRetries,
    books: { ...emptyBooks(), products, prices },
  });
  const customer = call(customerRoutes(clocked.account), "POST", "/customers", {}).id;
  // The customer is linked before anything is bought; its own event changes nothing.
  clocked.account.books.events.length = 0;
  return Object.assign(clocked, { customer, subscription: undefined });
}

const subscribe =
  (more: Partial<NewSubscription> = {}) =>
  (world: World) => {
    world.subscription = createSubscription(world.account, {
      customer: world.customer,
      items: [{ price: cheap, quantity: 2 }],
      card: CARD_THAT_PAYS,
      ...more,
    });
  };
const onTrial = (card: string) => subscribe({ card, trialDays: 14 });
const pass = (seconds: number) => (world: World) => world.advance(seconds);

const within = (work: (account: Account, subscription: Stripe.Subscription) => void) => (world: World) => {
  if (world.subscription) work(world.account, world.subscription);
};
const update = (change: SubscriptionUpdate) =>
  within((account, subscription) => updateSubscription(account, subscription, change));
const item = (change: { price?: string; quantity?: number }, more: SubscriptionUpdate = {}) =>
  within((account, subscription) => {
    const { id } = subscription.items.data[0] ?? {};
    updateSubscription(account, subscription, { ...more, items: [{ id, ...change }] });
  });
const payLatest = within((account, subscription) => {
  const invoice = account.books.invoices[String(subscription.latest_invoice)];
  if (invoice) attemptPayment(account, invoice);
});
const together =
  (...changes: ((world: World) => void)[]) =>
  (world: World) => {
    for (const change of changes) change(world);
  };

export const histories: History[] = [
  {
    name: "trial, active, late, another card, recovered",
    changes: [
      onTrial(CARD_THAT_FAILS),
      pass(14 * DAY),
      pass(HOUR),
      update({ card: CARD_THAT_PAYS }),
      pass(3 * DAY),
    ],
  },
  {
    name: "trial, late, unpaid, recovered",
    afterRetries: "unpaid",
    changes: [
      onTrial(CARD_THAT_FAILS),
      pass(14 * DAY),
      pass(HOUR),
      pass(15 * DAY),
      together(update({ card: CARD_THAT_PAYS }), payLatest),
    ],
  },
  {
    name: "upgrade with proration, more seats, renewal",
    changes: [
      subscribe(),
      together(pass(10 * DAY), item({ price: dear }, { prorationBehavior: "always_invoice" })),
      item({ quantity: 5 }),
      pass(25 * DAY),
    ],
  },
  {
    name: "cancel at the period's end, resume, renewal",
    changes: [
      subscribe(),
      update({ cancelAtPeriodEnd: true }),
      update({ cancelAtPeriodEnd: false }),
      pass(35 * DAY),
    ],
  },
  {
    name: "collection paused, paused, resumed",
    changes: [
      onTrial(CARD_THAT_PAYS),
      update({ pauseCollection: { behavior: "void", resumes_at: null } }),
      within(pauseSubscription),
      within(resumeSubscription),
    ],
  },
  {
    name: "more seats, deleted",
    changes: [subscribe(), item({ quantity: 7 }), within((a, s) => end(a, s, "cancellation_requested"))],
  },
  {
    name: "three changes within one second",
    changes: [subscribe(), item({ quantity: 3 }), item({ quantity: 4 }), item({ quantity: 3 })],
  },
  {
    name: "not paid, canceled at the last retry",
    changes: [onTrial(CARD_THAT_FAILS), pass(14 * DAY), pass(HOUR), pass(16 * DAY)],
  },
];

/** Short enough for every order of every step. */
export const canceledAndResumed: History = {
  name: "canceled, resumed",
  changes: [
    onTrial(CARD_THAT_PAYS),
    update({ cancelAtPeriodEnd: true }),
    update({ cancelAtPeriodEnd: false }),
  ],
};
