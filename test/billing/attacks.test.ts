import postgres from "postgres";
import type Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { normalizeInvoice } from "../../functions/_shared/stripe-objects.ts";
import { createLedger } from "../../functions/stripe-webhook/ledger.ts";
import { plan } from "../../src/billing/plan-file.ts";
import { CARD_THAT_FAILS, CARD_THAT_PAYS } from "../../src/stack/stripe/cards.ts";
import { completeCheckout } from "../../src/stack/stripe/checkout.ts";
import { HOUR } from "../../src/stack/stripe/periods.ts";
import { createStripeStandIn } from "../../src/stack/stripe/stand-in.ts";
import { pauseSubscription } from "../../src/stack/stripe/subscriptions.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";
import { createBillingApp } from "./billing-app.ts";
import { asPostgres } from "./places.ts";

const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
const standIn = createStripeStandIn({ secretKey: "sk_test_standin", webhookSecrets: ["whsec_standin"] });
const { account } = standIn;
const { stripe, app, sell } = createBillingApp(project, standIn);

const month = (currency: string, unit_amount: number) => ({ interval: "month", currency, unit_amount });
const plans = [
  { key: "attacked", seat_billing: "bought", prices: [month("eur", 1000), month("usd", 1100)] },
  { key: "attacked-more", prices: [month("eur", 9000), month("jpy", 9000)] },
].map((one) => plan.parse({ name: one.key, is_public: false, limits: { seats: 9 }, ...one }));

let ada: Person;
let token: string;
const organizations: string[] = [];

beforeAll(async () => {
  await sell(plans);
  ada = await signUp(project, "Ada");
  token = (await ada.supabase.auth.getSession()).data.session?.access_token as string;
});
afterAll(async () => {
  await sql`delete from public.organizations where id = any (${organizations})`;
  await sql.end();
});

/** A price of this account: others may have sold the same plans in the same database. */
const price = (lookupKey: string) =>
  Object.values(account.books.prices).find(({ lookup_key }) => lookup_key === lookupKey)?.id as string;

async function organization(): Promise<string> {
  const { id } = must(await ada.organizations.create({ name: "Attacked", slug: uniqueSlug("attacked") }));
  organizations.push(id);
  return id;
}

interface Answer {
  status: number;
  body: { url?: string; error?: { code: string } } & Record<string, unknown>;
}

async function call(path: string, organization_id: string, input: object = {}): Promise<Answer> {
  const headers = {
    authorization: `Bearer ${token}`,
    apikey: project.publishableKey,
    "content-type": "application/json",
  };
  const response = await (path === "/invoices"
    ? app.request(`/billing/invoices?${new URLSearchParams({ organization_id, ...input })}`, { headers })
    : app.request(`/billing${path}`, {
        method: "POST",
        headers,
        body: JSON.stringify({ organization_id, ...input }),
      }));
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}
const code = async (path: string, organizationId: string, input?: object) => {
  const { status, body } = await call(path, organizationId, input);
  return body.error?.code ?? status;
};

const sessionsOf = (id: string) =>
  Object.values(account.books.checkoutSessions).filter(
    ({ client_reference_id }) => client_reference_id === id,
  );
const openPages = (id: string) => sessionsOf(id).filter(({ status }) => status === "open");
function payAll(id: string) {
  for (const session of openPages(id)) completeCheckout(account, session, CARD_THAT_PAYS);
}
const subscriptionsOf = (id: string) =>
  Object.values(account.books.subscriptions).filter(({ metadata }) => metadata["organization_id"] === id);
const stored = async (id: string) => must(await ada.billing.subscription(id));

const choice = (lookupKey = "attacked_month_eur") => ({ price_id: price(lookupKey) });

/** Bought, and known here. */
async function subscribed(): Promise<{ id: string; subscription: Stripe.Subscription }> {
  const id = await organization();
  await call("/checkout", id, choice());
  payAll(id);
  await call("/checkout", id, choice());
  return { id, subscription: subscriptionsOf(id)[0] as Stripe.Subscription };
}

describe("checkout", () => {
  test("what was paid a moment ago is not sold again, though nobody has told us", async () => {
    const id = await organization();
    expect(await code("/checkout", id, choice())).toBe(200);
    payAll(id);
    expect(await code("/checkout", id, choice("attacked-more_month_eur"))).toBe("already_subscribed");
    expect(await stored(id)).toMatchObject({ status: "active", plan_key: "attacked" });
    expect(openPages(id)).toEqual([]);
  });

  test("many who choose differently at the same moment leave one page, and one subscription", async () => {
    const id = await organization();
    const choices = Array.from({ length: 4 }, (_, n) => ({ ...choice(), quantity: n + 1 }));
    const answers = await Promise.all(choices.map((chosen) => call("/checkout", id, chosen)));
    for (const { status, body } of answers) {
      expect([200, "billing_unavailable"]).toContain(body.error?.code ?? status);
    }
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(openPages(id)).toHaveLength(1);
    payAll(id);
    expect(subscriptionsOf(id)).toHaveLength(1);
  });

  test("a page that is paid while the other tab closes it: no second is opened", async () => {
    const id = await organization();
    await call("/checkout", id, choice());
    const { sessions } = stripe.checkout;
    const close = sessions.expire.bind(sessions);
    sessions.expire = (page) => {
      payAll(id);
      return close(page as string);
    };
    try {
      expect(await code("/checkout", id, choice("attacked-more_month_eur"))).toBe("already_subscribed");
    } finally {
      sessions.expire = close;
    }
    expect([openPages(id), subscriptionsOf(id).length]).toEqual([[], 1]);
  });

  test("a page that was closed or has expired cannot be paid", async () => {
    const id = await organization();
    const { body: first } = await call("/checkout", id, choice());
    await call("/checkout", id, choice("attacked-more_month_eur"));
    const closed = account.books.checkoutSessions[first["session_id"] as string] as Stripe.Checkout.Session;
    expect(() => completeCheckout(account, closed, CARD_THAT_PAYS)).toThrow("expired");
    payAll(id);
    expect(subscriptionsOf(id)).toHaveLength(1);
  });

  test("beside a page that cannot be closed none is opened", async () => {
    const id = await organization();
    await call("/checkout", id, choice());
    standIn.faults.plan({ path: /expire$/, status: 500, shouldRetry: false });
    expect(await code("/checkout", id, choice("attacked-more_month_eur"))).toBe("billing_unavailable");
    expect(openPages(id)).toHaveLength(1);
  });

  test("a failure that Stripe repeats for a day is not ours for a day", async () => {
    const id = await organization();
    standIn.faults.plan({ path: /checkout\/sessions$/, method: "POST", status: 500, shouldRetry: false });
    expect(await code("/checkout", id, choice())).toBe(200);
    expect(openPages(id)).toHaveLength(1);
  });

  test("a price that was archived at Stripe is not sold, nor one of an amount beyond all bounds", async () => {
    const id = await organization();
    const archived = await stripe.prices.create({
      product: "nectar_attacked",
      currency: "eur",
      unit_amount: 7,
      recurring: { interval: "month" },
    });
    await sql`
      insert into public.plan_prices (stripe_price_id, plan_key, interval, currency, unit_amount, livemode)
      values (${archived.id}, 'attacked', 'month', 'eur', 7, false)`;
    await stripe.prices.update(archived.id, { active: false });
    expect(await code("/checkout", id, { price_id: archived.id })).toBe("unknown_price");
    expect(await code("/checkout", id, { ...choice(), quantity: 10 })).toBe("too_many_seats");
    const { id: other } = await subscribed();
    expect(await code("/change", other, { price_id: archived.id })).toBe("unknown_price");
    expect(await code("/preview", other, { price_id: archived.id })).toBe("unknown_price");
  });
});

test("what Stripe refused is asked anew, though it repeats its refusals for a day", async () => {
  const id = await organization();
  const chosen = await stripe.prices.update(price("attacked_month_usd"), { active: false });
  for (let click = 0; click < 6; click++) {
    expect(await code("/checkout", id, { price_id: chosen.id })).toBe("unknown_price");
  }
  await stripe.prices.update(chosen.id, { active: true });
  standIn.advance(60);
  expect(await code("/checkout", id, { price_id: chosen.id })).toBe(200);
  expect(openPages(id)).toHaveLength(1);
});

describe("a subscription that is not what we think", () => {
  const routes = [
    ["/change", () => choice("attacked-more_month_eur")],
    ["/preview", () => choice("attacked-more_month_eur")],
    ["/cancel", () => ({})],
    ["/cancel", () => ({ when: "now" })],
    ["/resume", () => ({})],
  ] as const;

  test.each(routes)("ended at Stripe: %s", async (path, input) => {
    const { id, subscription } = await subscribed();
    await stripe.subscriptions.cancel(subscription.id);
    expect(await stored(id)).toMatchObject({ status: "active" });
    expect(await code(path, id, input())).toBe("no_subscription");
    expect((await ada.billing.subscription(id)).data).toBeNull();
  });

  test("its customer deleted at Stripe", async () => {
    const { id, subscription } = await subscribed();
    await stripe.customers.del(String(subscription.customer));
    expect(await code("/change", id, choice("attacked-more_month_eur"))).toBe("no_subscription");
    expect(await code("/checkout", id, choice())).toBe(200);
    expect(openPages(id)).toHaveLength(1);
    expect(openPages(id)[0]?.customer).not.toBe(subscription.customer);
  });

  test("its items replaced at Stripe: said once, then known", async () => {
    const { id, subscription } = await subscribed();
    const old = subscription.items.data[0]?.id as string;
    await stripe.subscriptions.update(subscription.id, {
      items: [{ id: old, deleted: true }, { price: price("attacked-more_month_eur") }],
    });
    expect(await code("/change", id, choice())).toBe("subscription_changed");
    expect(await code("/change", id, choice())).toBe(200);
    expect(await stored(id)).toMatchObject({ plan_key: "attacked" });
  });

  test("paused: resumed", async () => {
    const { id, subscription } = await subscribed();
    pauseSubscription(account, subscription);
    await sql`update public.subscriptions set status = 'paused' where organization_id = ${id}`;
    expect(await call("/resume", id)).toMatchObject({ status: 200, body: { status: "active" } });
    expect(await stored(id)).toMatchObject({ status: "active" });
  });

  test("nothing to pay with, since the card was taken away: said so, and nothing is changed", async () => {
    const { id, subscription } = await subscribed();
    const customer = account.books.customers[String(subscription.customer)] as Stripe.Customer;
    subscription.default_payment_method = null;
    customer.invoice_settings.default_payment_method = null;
    expect(await code("/change", id, choice("attacked-more_month_eur"))).toBe("payment_failed");
    expect(await stored(id)).toMatchObject({ plan_key: "attacked" });
  });

  test("another currency does not fit in, and nothing is asked of Stripe that it refuses", async () => {
    const { id } = await subscribed();
    for (const lookupKey of ["attacked_month_usd", "attacked-more_month_jpy"]) {
      expect(await code("/preview", id, choice(lookupKey))).toBe("prices_do_not_mix");
      expect(await code("/change", id, choice(lookupKey))).toBe("prices_do_not_mix");
    }
  });
});

describe("a period that nobody has paid for", () => {
  /** Renewed, and the renewal's payment failed, or is still to be tried. */
  async function renewed(payment: "failed" | "to come") {
    const { id, subscription } = await subscribed();
    await call("/change", id, choice("attacked-more_month_eur"));
    await stripe.subscriptions.update(subscription.id, { default_payment_method: CARD_THAT_FAILS });
    const end = subscription.items.data[0]?.current_period_end ?? 0;
    standIn.advance(end - account.now() + (payment === "failed" ? 2 * HOUR : 60));
    expect(subscription.status).toBe(payment === "failed" ? "past_due" : "active");
    return { id, subscription, customer: account.books.customers[String(subscription.customer)] };
  }

  test.each(["failed", "to come"] as const)(
    "is not credited with its end: the payment %s",
    async (payment) => {
      const { id, subscription, customer } = await renewed(payment);
      expect(await code("/cancel", id, { when: "now" })).toBe(200);
      expect([subscription.status, customer]).toMatchObject(["canceled", { balance: 0 }]);
    },
  );

  test.each(["failed", "to come"] as const)("nor with a change: the payment %s", async (payment) => {
    const { id, subscription, customer } = await renewed(payment);
    for (const path of ["/preview", "/change"]) expect(await code(path, id, choice())).toBe("invoice_unpaid");
    expect(customer).toMatchObject({ balance: 0 });
    await stripe.subscriptions.update(subscription.id, { default_payment_method: CARD_THAT_PAYS });
    await stripe.invoices.pay(String(subscription.latest_invoice));
    expect(await code("/change", id, choice())).toBe(200);
    expect(customer).toMatchObject({ balance: expect.closeTo(-8000, -2) });
  });
});

describe("the moment of a preview", () => {
  const dear = () => choice("attacked-more_month_eur");
  async function previewed(): Promise<{ id: string; customer: unknown; proration_date: number }> {
    const { id, subscription } = await subscribed();
    const { body } = await call("/preview", id, dear());
    standIn.advance(60);
    const customer = account.books.customers[String(subscription.customer)];
    return { id, customer, proration_date: Number(body["proration_date"]) };
  }

  test("is kept by nobody for a credit of time that was never charged", async () => {
    const { id, customer, proration_date } = await previewed();
    expect(await code("/change", id, dear())).toBe(200);
    expect(await code("/change", id, { ...choice(), proration_date })).toBe("preview_expired");
    expect(await code("/change", id, choice())).toBe(200);
    expect(customer).toMatchObject({ balance: expect.closeTo(-8000, -2) });
  });

  test("is charged as it was shown", async () => {
    const { id, proration_date } = await previewed();
    expect(await code("/change", id, { ...dear(), proration_date })).toBe(200);
    const latest = (await call("/invoices", id, { limit: "1" })).body["data"];
    expect(latest).toMatchObject([{ total: 8000 }]);
  });
});

test("invoices: a page begins at one of one's own, and nobody else's is told", async () => {
  const { id } = await subscribed();
  const other = await subscribed();
  const own = must(await call("/invoices", id).then(({ body }) => ({ data: body, error: null })));
  const foreign = String(other.subscription.latest_invoice);
  const { body } = await call("/invoices", id, { after: foreign });
  expect(JSON.stringify([own, body])).not.toContain(foreign);
  expect(await code("/invoices", id, { after: "in_unknown" })).toBe("validation_failed");
});

test("halves of characters and null characters stop no event", async () => {
  const { id, subscription } = await subscribed();
  const ledger = createLedger(asPostgres(sql));
  const event = {
    id: `evt_${uniqueSlug("odd").replaceAll("-", "")}`,
    type: "invoice.paid",
    created: 1,
    livemode: false,
    data: { object: { id: "in_odd", name: "a\ud83d", "k\udc00": "\u0000b \\u0000 \\ud83d 🐝" } },
  };
  const body = JSON.stringify(event);
  await ledger.fail(body, "for a test");
  const invoice = await stripe.invoices.retrieve(String(subscription.latest_invoice));
  const [line] = invoice.lines.data;
  if (line) line.description = "cut in the middle \ud83d";
  const { ticket } = await ledger.ticket(event.id);
  expect(await ledger.apply(body, ticket, normalizeInvoice(invoice))).toMatchObject({ outcome: "applied" });
  const [kept] =
    await sql`select payload #> '{data,object}' as object from private.stripe_events where id = ${event.id}`;
  expect(kept?.["object"]).toEqual({ id: "in_odd", name: "a\ufffd", "k\ufffd": "b \\u0000 \\ud83d 🐝" });
  const [row] = await sql`select lines from public.invoices where organization_id = ${id}`;
  expect(row?.["lines"]).toMatchObject([{ description: "cut in the middle \ufffd" }]);
});

describe("Stripe failing", () => {
  const requests = [
    ["/checkout", /customers$/],
    ["/checkout", /checkout\/sessions$/],
    ["/checkout", /subscriptions$/],
    ["/portal", /billing_portal/],
    ["/preview", /create_preview$/],
    ["/change", /subscriptions\/sub_/],
    ["/cancel", /subscriptions\/sub_/],
    ["/resume", /subscriptions\/sub_/],
    ["/invoices", /invoices$/],
  ] as const;
  let bought: string;
  let fresh: string;
  beforeAll(async () => {
    ({ id: bought } = await subscribed());
    fresh = await organization();
  });

  test.each(requests)("%s, at %s: billing_unavailable, and nothing else", async (path, request) => {
    const id = path === "/checkout" ? fresh : bought;
    const input = path === "/change" || path === "/preview" || path === "/checkout" ? choice() : {};
    for (const status of [429, 500, 503, 409, 401, 403]) {
      standIn.faults.plan({ path: request, status, shouldRetry: false, times: 9 });
      expect([status, await code(path, id, input)]).toEqual([status, "billing_unavailable"]);
      standIn.faults.clear();
    }
    expect(await stored(bought)).toMatchObject({ status: "active", cancel_at_period_end: false });
  });
});
