import type { Sql } from "postgres";
import type Stripe from "stripe";
import { normalizeInvoice, normalizeSubscription } from "../../functions/_shared/stripe-objects.ts";
import type { World } from "./histories.ts";

/** What an organization's rows should say in the end, in the words of the rows. */
export function expectedState({ account, customer }: World, types: RegExp): object {
  const subscriptions = Object.values(account.books.subscriptions).filter((one) => one.customer === customer);
  return {
    subscriptions: subscriptions.map(subscriptionRow),
    // Whose events nobody delivers is not known.
    invoices: types.test("invoice.paid") ? Object.values(account.books.invoices).map(invoiceRow) : [],
  };
}

function subscriptionRow(subscription: Stripe.Subscription): object {
  const {
    id,
    status,
    cancel_at,
    cancel_at_period_end,
    canceled_at,
    ended_at,
    trial_end,
    pause_collection,
    items,
  } = normalizeSubscription(subscription);
  const [main] = items;
  const live = status !== "canceled" && status !== "incomplete_expired";
  return {
    id,
    status,
    cancel_at,
    cancel_at_period_end,
    canceled_at,
    ended_at,
    trial_end,
    pause_behavior: pause_collection?.behavior ?? null,
    is_current: live,
    plan_key: "convergence",
    quantity: main?.quantity ?? 1,
    period: [main?.current_period_start, main?.current_period_end],
    items: items.map((item) => [item.id, item.price_id, item.quantity ?? 1]),
  };
}

function invoiceRow(invoice: Stripe.Invoice): object {
  const { id, status, number, total, amount_due, amount_paid, paid_at, subscription_id } =
    normalizeInvoice(invoice);
  return { id, status, number, total, amount_due, amount_paid, paid_at, subscription_id };
}

/** What the rows of these organizations say, by organization. */
export async function storedStates(sql: Sql, organizations: string[]): Promise<Map<string, object>> {
  const rows = await sql<{ organization_id: string; state: object }[]>`
    select organization_id, jsonb_build_object(
      'subscriptions', coalesce((
        select jsonb_agg(jsonb_build_object(
          'id', stripe_subscription_id, 'status', status, 'cancel_at', extract(epoch from cancel_at),
          'cancel_at_period_end', cancel_at_period_end, 'canceled_at', extract(epoch from canceled_at),
          'ended_at', extract(epoch from ended_at), 'trial_end', extract(epoch from trial_end),
          'pause_behavior', pause_behavior, 'is_current', is_current, 'plan_key', plan_key, 'quantity', quantity,
          'period', jsonb_build_array(
            extract(epoch from current_period_start), extract(epoch from current_period_end)
          ),
          'items', (
            select jsonb_agg(jsonb_build_array(stripe_item_id, stripe_price_id, item.quantity) order by stripe_item_id)
            from public.subscription_items as item
            where item.stripe_subscription_id = subscription.stripe_subscription_id
          )
        ) order by stripe_subscription_id)
        from public.subscriptions as subscription where subscription.organization_id = place.organization_id
      ), '[]'),
      'invoices', coalesce((
        select jsonb_agg(jsonb_build_object(
          'id', stripe_invoice_id, 'status', status, 'number', number, 'total', total, 'amount_due', amount_due,
          'amount_paid', amount_paid, 'paid_at', extract(epoch from paid_at), 'subscription_id', stripe_subscription_id
        ) order by created, stripe_invoice_id)
        from public.invoices as invoice where invoice.organization_id = place.organization_id
      ), '[]')
    ) as state
    from unnest(${organizations}::uuid[]) as place (organization_id)`;
  return new Map(rows.map(({ organization_id, state }) => [organization_id, state]));
}
