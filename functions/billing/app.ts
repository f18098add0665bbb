import type { SupabaseEnv } from "@supabase/server";
import type { Context } from "hono";
import type Stripe from "stripe";
import { createFunction, type FunctionApp, type FunctionEnv } from "../_shared/app.ts";
import type { Authenticated } from "../_shared/auth.ts";
import { AppError } from "../_shared/errors.ts";
import { type Log, logToConsole } from "../_shared/log.ts";
import { fetchObject } from "../_shared/stripe-fetch.ts";
import { isOver, normalizeSubscription, withAllItems } from "../_shared/stripe-objects.ts";
import { billedOf } from "../_shared/stripe-paid.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import { type Backend, type BillingContext, createBackend } from "./backend.ts";
import { checkPreview, itemChanges, previewOf } from "./change.ts";
import { openCheckout } from "./checkout.ts";
import { withCustomer } from "./customer.ts";
import { invoicePage } from "./invoices.ts";
import { returnUrl } from "./return-url.ts";
import { createRoutes } from "./routes.ts";
import { choose } from "./selection.ts";
import { fromStripe, isRefused } from "./stripe-errors.ts";
import { subscriptionState } from "./subscription-state.ts";

export interface BillingOptions {
  stripe: Pick<StripeAccount, "client" | "livemode">;
  /** Where the product's pages are. */
  appUrl: () => string;
  /** Other origins that a browser may return to, separated by commas. */
  returnOrigins: () => string | undefined;
  /** Milliseconds since 1970. */
  clock?: () => number;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createBackend;
}

/** One request's view of billing, after the database said that the caller manages it. */
interface Opened {
  backend: Backend;
  context: BillingContext;
  client: Stripe;
  mail: string | undefined;
  livemode: boolean;
}

export function createApp(options: BillingOptions): FunctionApp {
  const { stripe, appUrl, returnOrigins, clock = Date.now, keys, connect = createBackend } = options;
  const app = createFunction({ name: "billing", log: options.log ?? logToConsole, clock });
  const routes = createRoutes(keys);

  async function open(c: Context<Authenticated & FunctionEnv>, organizationId: string): Promise<Opened> {
    c.set("organizationId", organizationId);
    c.header("cache-control", "no-store");
    const supabase = c.var.supabaseContext;
    const backend = connect(supabase, c.var.requestId);
    const context = await backend.context(organizationId);
    const { livemode } = stripe;
    if (context.livemode !== null && context.livemode !== livemode) {
      throw new AppError("billing_unavailable", {
        cause: new Error("the organization's customer and STRIPE_SECRET_KEY are of different modes"),
      });
    }
    return { backend, context, client: await stripe.client(), mail: supabase.userClaims?.email, livemode };
  }

  const comeBack = (given: string | undefined, outcome: string) =>
    returnUrl(given, { appUrl: appUrl(), origins: returnOrigins(), outcome });

  app.openapi(routes.checkout, async (c) => {
    const input = c.req.valid("json");
    const successUrl = comeBack(input.success_url, "success");
    const cancelUrl = comeBack(input.cancel_url, "canceled");
    const opened = await open(c, input.organization_id);
    if (live(opened.context)) throw new AppError("already_subscribed");
    // An attempt to pay that did not succeed binds nobody.
    const chosen = await choose(
      opened.backend,
      { ...opened.context, subscription: null },
      input,
      opened.livemode,
    );
    const page = await withCustomer(opened, (customerId) =>
      openCheckout({
        ...opened,
        organizationId: input.organization_id,
        customerId,
        chosen,
        successUrl,
        cancelUrl,
        now: clock(),
      }));
    return c.json({ session_id: page.id, url: page.url }, 200);
  });

  app.openapi(routes.portal, async (c) => {
    const { organization_id, return_url } = c.req.valid("json");
    const back = comeBack(return_url, "portal");
    const opened = await open(c, organization_id);
    const { url } = await withCustomer(
      opened,
      (customer) => fromStripe(opened.client.billingPortal.sessions.create({ customer, return_url: back })),
    );
    return c.json({ url }, 200);
  });

  app.openapi(routes.preview, async (c) => {
    const input = c.req.valid("json");
    const opened = await open(c, input.organization_id);
    const { id, items } = required(opened.context);
    const chosen = await choose(opened.backend, opened.context, input, opened.livemode);
    const proration_date = Math.max(Math.floor(clock() / 1000), await lastBilled(opened));
    const invoice = await ask(opened, (client) =>
      client.invoices.createPreview({
        subscription: id,
        subscription_details: {
          items: itemChanges(items, chosen),
          proration_behavior: "always_invoice",
          proration_date,
        },
      }));
    return c.json(previewOf(invoice, proration_date), 200);
  });

  app.openapi(routes.change, async (c) => {
    const { proration_date, ...input } = c.req.valid("json");
    const opened = await open(c, input.organization_id);
    const { id, items } = required(opened.context);
    const chosen = await choose(opened.backend, opened.context, input, opened.livemode);
    const billedAt = await lastBilled(opened);
    if (proration_date !== undefined) checkPreview(proration_date, billedAt, clock());
    const state = await write(opened, (client) =>
      client.subscriptions.update(id, {
        items: itemChanges(items, chosen),
        proration_behavior: "always_invoice",
        // Without one it is Stripe's own moment.
        ...(proration_date !== undefined && { proration_date }),
        // A declined card changes nothing, rather than leaving the new plan unpaid.
        payment_behavior: "error_if_incomplete",
      }));
    return c.json(state, 200);
  });

  app.openapi(routes.cancel, async (c) => {
    const { organization_id, when = "period_end" } = c.req.valid("json");
    const opened = await open(c, organization_id);
    const { id } = required(opened.context);
    const state = await write(
      opened,
      async (client) =>
        when === "now"
          ? client.subscriptions.cancel(id, {
            prorate: (await billedOf(client, await client.subscriptions.retrieve(id))).paid,
            invoice_now: true,
          })
          : client.subscriptions.update(id, { cancel_at_period_end: true }),
    );
    return c.json(state, 200);
  });

  app.openapi(routes.resume, async (c) => {
    const opened = await open(c, c.req.valid("json").organization_id);
    const { id, status, cancel_at, cancel_at_period_end } = required(opened.context);
    // Stripe takes back the end of a period, a date, and a pause each in a way of its own.
    const end = cancel_at && !cancel_at_period_end
      ? { cancel_at: "" } as const
      : { cancel_at_period_end: false };
    const state = await write(
      opened,
      (client) =>
        status === "paused"
          ? client.subscriptions.resume(id)
          : client.subscriptions.update(id, { ...end, pause_collection: "" }),
    );
    return c.json(state, 200);
  });

  app.openapi(routes.invoices, async (c) => {
    const { organization_id, after, limit } = c.req.valid("query");
    const { client, context } = await open(c, organization_id);
    if (!context.customer_id) return c.json({ data: [], next: null }, 200);
    const page = await fromStripe(
      client.invoices.list({
        customer: context.customer_id,
        limit,
        ...(after && { starting_after: after }),
      }),
    );
    return c.json(invoicePage(page), 200);
  });

  return app;
}

/** The subscription that is more than an attempt to pay. */
const live = ({ subscription }: BillingContext) =>
  subscription?.status === "incomplete" ? null : subscription;

function required(context: BillingContext) {
  const subscription = live(context);
  if (!subscription) throw new AppError("no_subscription");
  return subscription;
}

/**
 * When the subscription was billed last, in seconds since 1970.
 *
 * @throws {AppError} `invoice_unpaid`: a change credits the rest of the period, of which nobody has paid all yet.
 */
async function lastBilled(opened: Opened): Promise<number> {
  const { id } = required(opened.context);
  const { paid, at } = await ask(
    opened,
    async (client) => billedOf(client, await client.subscriptions.retrieve(id)),
  );
  if (!paid) throw new AppError("invoice_unpaid");
  return at;
}

/** Changes the subscription, and stores what Stripe answered, so that the caller reads it at once. */
async function write(opened: Opened, change: (client: Stripe) => Promise<Stripe.Subscription>) {
  const { backend, client } = opened;
  const ticket = await backend.ticket();
  const changed = await ask(opened, change);
  await backend.apply(ticket, normalizeSubscription(await fromStripe(withAllItems(client, changed))));
  return subscriptionState(changed);
}

/** Asks Stripe something about the subscription; where that makes no sense there, looks what it is by now. */
async function ask<T>(opened: Opened, request: (client: Stripe) => Promise<T>): Promise<T> {
  try {
    return await fromStripe(request(opened.client));
  } catch (error) {
    throw isRefused(error) ? await changedMeanwhile(opened) ?? error : error;
  }
}

/** Ended or changed at Stripe, of which nobody has told us yet: stored, so that the next look finds it. */
async function changedMeanwhile(
  { backend, client, context, livemode }: Opened,
): Promise<AppError | undefined> {
  const { id } = required(context);
  const target = { kind: "subscription" as const, id, customerId: context.customer_id ?? "" };
  const ticket = await backend.ticket();
  const object = await fromStripe(fetchObject(client, target, livemode));
  const changed = await backend.apply(ticket, object);
  if ("deleted" in object || (object.kind === "subscription" && isOver(object.status))) {
    return new AppError("no_subscription");
  }
  return changed ? new AppError("subscription_changed") : undefined;
}
