import type { Hono } from "hono";
import { html } from "hono/html";
import type Stripe from "stripe";
import { type Account, find, findCustomer, idOf } from "./account.ts";
import { attachCard, CARD_THAT_FAILS, CARD_THAT_PAYS, setDefaultCard } from "./cards.ts";
import { completeCheckout } from "./checkout.ts";
import { StripeFailure } from "./failure.ts";
import { newestFirst } from "./pages-of-lists.ts";
import { attemptPayment } from "./payments.ts";
import { DAY } from "./periods.ts";
import { updateSubscription } from "./subscriptions.ts";
import { isMetered } from "./usage.ts";

type Html = ReturnType<typeof html>;

const layout = (title: string, body: Html) => html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>${title} – Stripe stand-in</title>
    <style>
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
      button { font: inherit; padding: 0.4rem 0.9rem; margin: 0.2rem 0.4rem 0.2rem 0; }
      form { display: inline; }
      .note { color: #666; }
      .failure { color: #b00; }
    </style>
  </head>
  <body>
    <h1>${title}</h1>
    ${body}
    <p class="note">A stand-in for Stripe on this machine: no money moves.</p>
  </body>
</html>`;

const button = (
  action: string,
  label: string,
  name = "",
  value = "",
) => html`<form method="post" action="${action}">
  <button name="${name}" value="${value}">${label}</button>
</form>`;

const money = (amount: number, currency: string) =>
  new Intl.NumberFormat("en", { style: "currency", currency }).format(
    amount /
      10 **
        (new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions()
          .maximumFractionDigits ?? 2),
  );
const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);

interface Time {
  advance(seconds: number): void;
  catchUp(changed: boolean): void;
}

/** What a person sees: checkout, the customer portal, an invoice, and the account with its clock. */
export function addPages(app: Hono, account: Account, { advance, catchUp }: Time): void {
  const { books } = account;
  app.onError((error, c) => {
    if (!(error instanceof StripeFailure)) throw error;
    return c.html(layout("This does not go", html`<p class="failure">${error.message}</p>`), 400);
  });
  app.use(async (_c, next) => {
    catchUp(false);
    await next();
  });

  const checkout = (id: string) => find(books.checkoutSessions, "checkout session", id);
  app.get("/checkout/:id", (c) => {
    const session = checkout(c.req.param("id"));
    return c.html(layout("Checkout", checkoutPage(account, session, c.req.query("failed") !== undefined)));
  });
  app.post("/checkout/:id", async (c) => {
    const session = checkout(c.req.param("id"));
    const { card } = await c.req.parseBody();
    if (card === "declined") return c.redirect(`/checkout/${session.id}?failed`, 303);
    const back = (session.success_url ?? "/").replaceAll("{CHECKOUT_SESSION_ID}", session.id);
    completeCheckout(account, session, CARD_THAT_PAYS);
    if (card === "fails later") setCard(account, String(session.customer), CARD_THAT_FAILS);
    return c.redirect(back, 303);
  });

  const portal = (id: string) => find(books.portalSessions, "portal session", id);
  app.get("/portal/:id", (c) => {
    return c.html(layout("Customer portal", portalPage(account, portal(c.req.param("id")))));
  });
  app.post("/portal/:id", async (c) => {
    const session = portal(c.req.param("id"));
    const { card, cancel, resume } = await c.req.parseBody();
    if (card) setCard(account, session.customer, String(card));
    for (const [id, cancelAtPeriodEnd] of [
      [cancel, true],
      [resume, false],
    ] as const) {
      if (!id) continue;
      const subscription = find(books.subscriptions, "subscription", String(id));
      if (subscription.customer === session.customer)
        updateSubscription(account, subscription, { cancelAtPeriodEnd });
    }
    return c.redirect(`/portal/${session.id}`, 303);
  });

  const invoice = (id: string) => find(books.invoices, "invoice", id);
  app.get("/invoices/:id", (c) => {
    return c.html(layout("Invoice", invoicePage(invoice(c.req.param("id")))));
  });
  app.get("/invoices/:id/pdf", (c) => c.redirect(`/invoices/${c.req.param("id")}`));
  app.post("/invoices/:id", (c) => {
    const open = invoice(c.req.param("id"));
    setCard(account, idOf(open.customer), CARD_THAT_PAYS);
    if (open.status === "open") attemptPayment(account, open);
    return c.redirect(`/invoices/${open.id}`, 303);
  });

  app.get("/", (c) => c.html(layout("Stripe stand-in", accountPage(account))));
  app.post("/time", async (c) => {
    const { days } = await c.req.parseBody();
    const count = Number(days);
    if (Number.isInteger(count) && count > 0 && count <= 400) advance(count * DAY);
    return c.redirect("/", 303);
  });
}

/** From now on everything of this customer is paid with that card. */
function setCard(account: Account, id: string, name: string): void {
  const customer = findCustomer(account, id);
  const card = attachCard(account, customer.id, name).id;
  setDefaultCard(account, customer, card);
  for (const one of Object.values(account.books.subscriptions)) {
    if (one.customer === id && one.status !== "canceled" && one.status !== "incomplete_expired") {
      updateSubscription(account, one, { card });
    }
  }
}

function checkoutPage({ books }: Account, session: Stripe.Checkout.Session, failed: boolean): Html {
  if (session.status !== "open") return html`<p>This session is ${session.status}.</p>`;
  const order = books.checkoutOrders[session.id];
  const action = `/checkout/${session.id}`;
  return html`
    ${failed ? html`<p class="failure">Your card was declined. Nothing was bought.</p>` : ""}
    <ul>${order?.items.map((item) => html`<li>${times(item)}${nameOf(books, item.price)}</li>`)}</ul>
    <p>${order?.trialDays ? `${order.trialDays} days free, then as above.` : money(session.amount_total ?? 0, session.currency ?? "usd")}</p>
    ${button(action, "Pay", "card", "pays")}
    ${button(action, "Payment fails", "card", "declined")}
    ${button(action, "Pay now, fail later", "card", "fails later")}
    ${session.cancel_url ? html`<p><a href="${session.cancel_url}">Back</a></p>` : ""}`;
}

function nameOf(books: Account["books"], id: string): string {
  const price = books.prices[id];
  const product = books.products[idOf(price?.product)];
  const amount = price
    ? isMetered({ price })
      ? `by usage, each ${price.recurring?.interval}`
      : `${money(price.unit_amount ?? 0, price.currency)} a ${price.recurring?.interval}`
    : id;
  return `${product?.name ?? "?"} (${amount})`;
}

function portalPage({ books }: Account, session: Stripe.BillingPortal.Session): Html {
  const action = `/portal/${session.id}`;
  const mine = newestFirst(books.subscriptions).filter(({ customer }) => customer === session.customer);
  return html`
    <ul>${mine.map((one) => html`<li>${describe(books, one)} ${endButton(action, one)}</li>`)}</ul>
    <p>${button(action, "Card that pays", "card", CARD_THAT_PAYS)}${button(action, "Card that fails", "card", CARD_THAT_FAILS)}</p>
    <ul>${invoicesOf(books, session.customer)}</ul>
    ${session.return_url ? html`<p><a href="${session.return_url}">Back</a></p>` : ""}`;
}

function endButton(action: string, { id, status, cancel_at_period_end }: Stripe.Subscription): Html | "" {
  if (status === "canceled" || status === "incomplete_expired") return "";
  return cancel_at_period_end
    ? button(action, "Do not cancel", "resume", id)
    : button(action, "Cancel at the period's end", "cancel", id);
}

function describe(books: Account["books"], { items, status, cancel_at }: Stripe.Subscription): string {
  const what = items.data.map((item) => `${times(item)}${nameOf(books, item.price.id)}`).join(", ");
  const until = items.data[0]?.current_period_end ?? 0;
  return `${what}: ${status}, ${cancel_at === null ? `until ${day(until)}` : `ends ${day(cancel_at)}`}`;
}

const invoicesOf = (books: Account["books"], customer?: string): Html[] =>
  newestFirst(books.invoices)
    .filter((one) => customer === undefined || one.customer === customer)
    .slice(0, 20)
    .map(
      (one) => html`<li>
        <a href="/invoices/${one.id}">${one.number ?? "draft"}</a> ${day(one.created)}
        ${money(one.total, one.currency)} ${one.status}
      </li>`,
    ) as Html[];

function invoicePage(one: Stripe.Invoice): Html {
  return html`
    <p>${one.number ?? "Draft"}, ${day(one.created)}: ${one.status}</p>
    <ul>${one.lines.data.map((line) => html`<li>${line.description}: ${money(line.amount, one.currency)}</li>`)}</ul>
    <p>Due ${money(one.amount_due, one.currency)}, paid ${money(one.amount_paid, one.currency)}</p>
    ${one.status === "open" ? button(`/invoices/${one.id}`, "Pay with a good card") : ""}`;
}

function accountPage(account: Account): Html {
  const { books } = account;
  return html`
    <p>It is ${day(account.now())} here.
      ${[1, 7, 31].map((days) => button("/time", `${days} days later`, "days", String(days)))}</p>
    <h2>Subscriptions</h2>
    <ul>${newestFirst(books.subscriptions)
      .slice(0, 20)
      .map((one) => html`<li>${describe(books, one)}</li>`)}</ul>
    <h2>Invoices</h2>
    <ul>${invoicesOf(books)}</ul>
    <h2>Events</h2>
    <ul>${books.events
      .slice(-20)
      .toReversed()
      .map(({ type }) => html`<li>${type}</li>`)}</ul>`;
}

/** Nothing for what is billed by usage. */
const times = ({ quantity }: { quantity?: number | undefined }) =>
  quantity === undefined ? "" : `${quantity} × `;
