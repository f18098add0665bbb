import type { SupabaseContext } from "@supabase/server";
import type Stripe from "stripe";
import type { Database, Json } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import type { Log } from "../_shared/log.ts";
import { normalizeInvoice, normalizeSubscription, withAllItems } from "../_shared/stripe-objects.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Job } from "./jobs.ts";

const PAGE = 100;
const LEASE_SECONDS = 120;

/** Webhooks are retried for three days; what changes on an older invoice is its payment. */
const INVOICE_DAYS = 90;

type Admin = SupabaseContext<Database>["supabaseAdmin"];

/**
 * Compares what Stripe has with what is stored, and repairs what differs: events that were lost, or came before their
 * customer was known. Each page is read after its ticket was drawn, so that nothing newer is overwritten.
 */
export function reconcileStripe(account: StripeAccount, log: Log, clock: () => number = Date.now): Job {
  const lists = {
    subscriptions: async (stripe: Stripe, after: string | null) => {
      const page = await stripe.subscriptions.list({ status: "all", ...from(after) });
      const whole = await Promise.all(page.data.map((subscription) => withAllItems(stripe, subscription)));
      return { ...page, data: whole.map(normalizeSubscription) };
    },
    invoices: async (stripe: Stripe, after: string | null) => {
      const created = { gte: Math.floor(clock() / 1000) - INVOICE_DAYS * 86_400 };
      const page = await stripe.invoices.list({ created, ...from(after) });
      return { ...page, data: page.data.map(normalizeInvoice) };
    },
  };

  async function comparePage(admin: Admin, list: keyof typeof lists, after: string | null) {
    const [drawn] = dataOf(await admin.rpc("stripe_ticket", {}));
    const page = await lists[list](await account.client(), after);
    let changed = 0;
    for (const object of page.data) {
      const result = dataOf(
        await admin.rpc("apply_stripe_object", {
          p_ticket: drawn?.ticket as number,
          p_object: object as unknown as Json,
        }),
      ) as { changed: boolean };
      if (!result.changed) continue;
      changed++;
      log({ level: "warn", function: "maintenance", event: "stripe_repaired", object_id: object.id });
    }
    const next = page.has_more ? page.data.at(-1)?.id : undefined;
    dataOf(
      await admin.rpc("finish_stripe_page", {
        p_list: list,
        p_checked: page.data.length,
        p_changed: changed,
        ...(next && { p_after: next }),
      }),
    );
    return changed;
  }

  return {
    name: "reconcile_stripe",
    ready: () => account.configured,
    async run(admin, timeIsUp) {
      let count = 0;
      while (!timeIsUp()) {
        const [page] = dataOf(await admin.rpc("next_stripe_page", { p_lease_seconds: LEASE_SECONDS }));
        if (!page) return { status: "done", count };
        count += await comparePage(admin, page.list as keyof typeof lists, page.after);
      }
      return { status: "unfinished", count };
    },
  };
}

const from = (after: string | null) => ({ limit: PAGE, ...(after && { starting_after: after }) });
