import postgres from "postgres";
import type Stripe from "stripe";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { SoldPlan } from "../../src/client/index.ts";
import { ENDPOINT_EVENTS } from "../../src/stack/stripe/endpoint.ts";
import { join } from "../support/invitations.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";
import { press, sellPlans, standInClient } from "../support/stripe.ts";

const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 1, onnotice: () => {} });
afterAll(() => sql.end());

/** Webhooks and maintenance take their time where much else is going on. */
const soon = { timeout: 20_000 };

describe.runIf(project.stripeUrl)("a purchase, from the list of plans to the end of the subscription", () => {
  const stripeUrl = project.stripeUrl as string;
  let stripe: Stripe;
  let ada: Person;
  let eve: Person;
  let id: string;
  let plans: SoldPlan[];

  const price = (plan: string, interval = "month") => {
    const sold = plans.find(({ key }) => key === plan)?.plan_prices.find((one) => one.interval === interval);
    return sold?.stripe_price_id as string;
  };
  const subscription = async () => (await ada.billing.subscription(id)).data;
  const entitlement = async (key: string) =>
    must(await ada.billing.entitlements(id)).find((one) => one.key === key)?.value;
  const customersOf = async (organizationId: string) =>
    (await stripe.customers.list({ limit: 100 })).data.filter(
      ({ metadata }) => metadata["organization_id"] === organizationId,
    );

  beforeAll(async () => {
    stripe = standInClient(stripeUrl);
    await sellPlans(project, stripe);
    [ada, eve] = (await Promise.all(["Ada", "Eve"].map((name) => signUp(project, name)))) as [Person, Person];
    ({ id } = must(await ada.organizations.create({ name: "Engines", slug: uniqueSlug("engines") })));
    plans = must(await ada.billing.plans());
  });

  test("what is sold is what the plan file says, and telling it again changes nothing", async () => {
    expect(plans.map(({ key }) => key)).toEqual([
      "free",
      "pro",
      "business",
      "more-applications",
      "more-requests",
    ]);
    expect(plans[1]?.plan_prices.map(({ unit_amount, currency }) => [unit_amount, currency]).sort()).toEqual([
      [1900, "eur"],
      [19000, "eur"],
    ]);
    const lines: string[] = [];
    expect(await sellPlans(project, stripe, (line) => lines.push(line), true)).toBe(0);
    expect(await sellPlans(project, stripe, (line) => lines.push(line))).toBe(0);
    expect(lines).toEqual([]);
  });

  test("on the free plan there is no subscription, and nothing to change", async () => {
    expect(await subscription()).toBeNull();
    expect(await entitlement("applications")).toBe(3);
    const refused = [
      await ada.billing.preview(id, { price_id: price("pro") }),
      await ada.billing.change(id, { price_id: price("pro") }),
      await ada.billing.cancel(id),
      await ada.billing.resume(id),
    ];
    expect(refused.map(({ error }) => [error?.code, error?.status])).toEqual(
      Array(4).fill(["no_subscription", 409]),
    );
    expect(must(await ada.billing.invoices(id)).data).toEqual([]);
  });

  test("who does not manage billing gets nowhere, and nobody is led elsewhere", async () => {
    const bob = await signUp(project, "Bob");
    await join(ada, id, bob, "developer");
    for (const person of [bob, eve]) {
      const calls = [
        person.billing.checkout(id, { price_id: price("pro") }),
        person.billing.portal(id),
        person.billing.cancel(id),
        person.billing.invoices(id),
      ];
      for (const { error } of await Promise.all(calls)) {
        expect([error?.code, error?.status]).toEqual(["not_permitted", 403]);
      }
      expect(must(await person.billing.entitlements(id)).length > 0).toBe(person === bob);
    }
    for (const url of [
      "https://evil.example.com/",
      "http://localhost:3000@evil.example.com/",
      "http://localhost:1/",
    ]) {
      const { error } = await ada.billing.checkout(id, { price_id: price("pro"), success_url: url });
      expect([url, error?.code]).toEqual([url, "return_url_not_allowed"]);
    }
    const wrong = [
      { price_id: "price_unknown" },
      { price_id: price("more-applications") },
      { price_id: price("pro"), addons: [{ price_id: price("business") }] },
      { price_id: price("pro"), addons: [{ price_id: price("more-applications", "year") }] },
      { price_id: price("pro"), quantity: 1 },
    ];
    const codes = [];
    for (const selection of wrong) codes.push((await ada.billing.checkout(id, selection)).error?.code);
    expect(codes).toEqual([
      "unknown_price",
      "unknown_price",
      "unknown_price",
      "prices_do_not_mix",
      "too_few_seats",
    ]);
  });

  test("twenty clicks at once open one page for one customer", async () => {
    const clicks = Array.from({ length: 20 }, () =>
      ada.billing.checkout(id, { price_id: price("pro"), quantity: 3 }),
    );
    const pages = new Set((await Promise.all(clicks)).map((click) => must(click).session_id));
    expect(pages.size).toBe(1);
    expect(await customersOf(id)).toHaveLength(1);
  });

  test("another choice closes the page before it; paying makes the plan hold", async () => {
    const first = must(await ada.billing.checkout(id, { price_id: price("business") }));
    const second = must(await ada.billing.checkout(id, { price_id: price("pro"), quantity: 3 }));
    expect((await stripe.checkout.sessions.retrieve(first.session_id)).status).toBe("expired");

    const paid = await press(second.url);
    expect(paid.status).toBe(303);
    expect(paid.headers.get("location")).toContain("checkout=success");
    await expect.poll(async () => (await subscription())?.status, soon).toBe("active");
    expect(await subscription()).toMatchObject({ plan_key: "pro", quantity: 3, currency: "eur" });
    expect([await entitlement("applications"), await entitlement("seats")]).toEqual([25, 3]);
    expect((await ada.billing.checkout(id, { price_id: price("pro") })).error?.code).toBe(
      "already_subscribed",
    );
  });

  test("a preview tells what a change costs, and the change costs that", async () => {
    const selection = {
      price_id: price("business"),
      addons: [{ price_id: price("more-applications"), quantity: 2 }],
    };
    const preview = must(await ada.billing.preview(id, selection));
    expect(preview.total).toBeGreaterThan(0);
    expect(preview.lines.some(({ proration, amount }) => proration && amount < 0)).toBe(true);

    const changed = must(
      await ada.billing.change(id, { ...selection, proration_date: preview.proration_date }),
    );
    expect(changed.status).toBe("active");
    // At once, without waiting for the webhook.
    expect((await subscription())?.plan_key).toBe("business");
    expect([await entitlement("applications"), await entitlement("seats")]).toEqual([null, 50]);
    const [newest] = must(await ada.billing.invoices(id, { limit: 1 })).data;
    expect([newest?.total, newest?.currency]).toEqual([preview.total, preview.currency]);

    const late = await ada.billing.change(id, {
      ...selection,
      proration_date: preview.proration_date - 7200,
    });
    expect(late.error?.code).toBe("preview_expired");
  });

  test("canceled with the period, resumed, and canceled now: the free plan holds again", async () => {
    expect(must(await ada.billing.cancel(id)).cancel_at_period_end).toBe(true);
    expect((await subscription())?.cancel_at_period_end).toBe(true);
    expect(must(await ada.billing.resume(id)).cancel_at_period_end).toBe(false);
    expect(must(await ada.billing.portal(id)).url).toContain(stripeUrl);

    expect(must(await ada.billing.cancel(id, { when: "now" })).status).toBe("canceled");
    expect(await subscription()).toBeNull();
    expect(await entitlement("applications")).toBe(3);
  });

  test("invoices are pages, and read under row security too", async () => {
    const first = must(await ada.billing.invoices(id, { limit: 1 }));
    const second = must(await ada.billing.invoices(id, { limit: 1, after: first.next as string }));
    expect(second.data[0]?.id).not.toBe(first.data[0]?.id);
    expect((await ada.billing.invoices(id, { after: "in_unknown" })).error?.code).toBe("validation_failed");
    await expect
      .poll(
        async () =>
          must(await ada.supabase.from("invoices").select("status").eq("organization_id", id)).length,
        soon,
      )
      .toBeGreaterThan(1);
    expect(must(await eve.supabase.from("invoices").select().eq("organization_id", id))).toEqual([]);
  });

  test("a customer that somebody deleted at Stripe is made anew", async () => {
    const other = must(await ada.organizations.create({ name: "Looms", slug: uniqueSlug("looms") }));
    must(await ada.billing.checkout(other.id, { price_id: price("pro") }));
    const [customer] = await customersOf(other.id);
    await stripe.customers.del(customer?.id as string);
    must(await ada.billing.checkout(other.id, { price_id: price("pro") }));
    const [anew] = await customersOf(other.id);
    expect(anew?.id).not.toBe(customer?.id);
  });

  test("what was lost is repaired, and told", async () => {
    must(await ada.billing.checkout(id, { price_id: price("business") }).then(pay));
    await expect.poll(async () => (await subscription())?.status, soon).toBe("active");
    await quiet();
    await sql`update public.subscriptions set cancel_at_period_end = true where organization_id = ${id} and is_current`;
    await sql`delete from public.invoices where organization_id = ${id}`;

    const lost = must(await ada.billing.invoices(id, { limit: 100 })).data.length;
    expect(await reconcile()).toEqual({ name: "reconcile_stripe", status: "done", count: lost + 1 });
    expect((await subscription())?.cancel_at_period_end).toBe(false);
    expect(must(await ada.supabase.from("invoices").select().eq("organization_id", id))).toHaveLength(lost);
    expect(await reconcile()).toMatchObject({ status: "done", count: 0 });
  });

  test("a closed organization pays for no further period, a restored one does, a purged one leaves Stripe", async () => {
    const left = (await subscription())?.stripe_subscription_id as string;
    expect(await customersOf(id)).toHaveLength(1);
    const willEnd = async () => {
      await maintain();
      return (await stripe.subscriptions.retrieve(left)).cancel_at_period_end;
    };
    must(await ada.organizations.close(id));
    expect(await willEnd()).toBe(true);
    must(await ada.organizations.restore(id));
    expect(await willEnd()).toBe(false);

    must(await ada.organizations.close(id));
    await sql`update public.organizations set closed_at = now() - interval '31 days' where id = ${id}`;
    await expect
      .poll(async () => {
        await maintain();
        return customersOf(id);
      }, soon)
      .toEqual([]);
    expect((await stripe.subscriptions.retrieve(left)).status).toBe("canceled");
  });

  const pay = async (opened: Awaited<ReturnType<typeof ada.billing.checkout>>) => {
    await press(must(opened).url);
    return opened;
  };
  const maintain = async () => {
    const answer = await fetch(`${project.url}/functions/v1/maintenance`, {
      method: "POST",
      headers: { apikey: project.secretKey },
    });
    expect(answer.status).toBe(200);
    return (await answer.json()) as { jobs: { name: string; status: string; count: number }[] };
  };
  /** As if a day had passed. */
  const reconcile = async () => {
    await sql`update private.stripe_reconcile set finished_at = '-infinity'`;
    return (await maintain()).jobs.find(({ name }) => name === "reconcile_stripe");
  };
  /** Until every event of the purchase has been delivered. */
  const quiet = () =>
    expect
      .poll(async () => {
        const { data } = await stripe.events.list({ limit: 30 });
        const sent = data.filter(({ type }) => ENDPOINT_EVENTS.includes(type)).map(({ id }) => id);
        return (await sql`select from private.stripe_events where id = any (${sent})`).length === sent.length;
      }, soon)
      .toBe(true);
});
