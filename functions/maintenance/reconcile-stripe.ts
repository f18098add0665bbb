import type { SupabaseContext } from "@supabase/server";
import type Stripe from "stripe";
import type { Database, Json } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { AppError } from "../_shared/errors.ts";
import { describeError, type Log } from "../_shared/log.ts";
import { fetchObject, isMissing } from "../_shared/stripe-fetch.ts";
import {
  normalizeInvoice,
  normalizeSubscription,
  type StripeObject,
  withAllItems,
} from "../_shared/stripe-objects.ts";
import type { StripeAccount } from "../_shared/stripe.ts";
import type { Job } from "./jobs.ts";

const PAGE = 100;
/** Of objects that are fetched one by one: a page is done within its lease. */
const FEW = 10;
const LEASE_SECONDS = 120;

/** Webhooks are retried for three days; older invoices are looked at as long as they are open. */
const INVOICE_DAYS = 90;

type Admin = SupabaseContext<Database>["supabaseAdmin"];

interface Page {
  objects: StripeObject[];
  /** Where the next page begins; null after the last one. */
  next: string | null;
}

/**
 * Compares what Stripe has with what is stored, and repairs what differs: events that were lost, or came before their
 * customer was known. Each page is read after its ticket was drawn, so that nothing newer is overwritten. What cannot be
 * stored is told, and does not stand in the way of the rest.
 */
export function reconcileStripe(account: StripeAccount, log: Log, clock: () => number = Date.now): Job {
  const lists: Record<string, (stripe: Stripe, after: string | null, admin: Admin) => Promise<Page>> = {
    async subscriptions(stripe, after) {
      const page = await stripe.subscriptions.list({ status: "all", ...from(after) });
      const whole = await Promise.all(page.data.map((subscription) => withAllItems(stripe, subscription)));
      return { objects: whole.map(normalizeSubscription), next: nextOf(page) };
    },
    async invoices(stripe, after) {
      const created = { gte: Math.floor(clock() / 1000) - INVOICE_DAYS * 86_400 };
      const page = await stripe.invoices.list({ created, ...from(after) });
      return { objects: page.data.map(normalizeInvoice), next: nextOf(page) };
    },
    /** Drafts that were deleted at Stripe are in no list there, and old debts are in none that is read. */
    async open_invoices(stripe, after, admin) {
      const open = dataOf(
        await admin.rpc("open_stripe_invoices", { p_limit: FEW, ...(after && { p_after: after }) }),
      );
      const objects: StripeObject[] = [];
      for (const { id, customer_id, livemode } of open) {
        if (livemode !== account.livemode) continue;
        objects.push(await fetchObject(stripe, { kind: "invoice", id, customerId: customer_id }, livemode));
      }
      return { objects, next: open.length === FEW ? open.at(-1)?.id ?? null : null };
    },
  };

  async function readPage(admin: Admin, list: string, after: string | null): Promise<Page> {
    const read = lists[list];
    if (!read) throw new Error(`There is no list ${list} at Stripe.`);
    const stripe = await account.client();
    try {
      return await read(stripe, after, admin);
    } catch (error) {
      // Where the page begins was deleted meanwhile, as drafts are: from the beginning, then.
      if (after && isMissing(error)) return await read(stripe, null, admin);
      throw error;
    }
  }

  async function comparePage(admin: Admin, list: string, after: string | null) {
    const [drawn] = dataOf(await admin.rpc("stripe_ticket", {}));
    const { objects, next } = await readPage(admin, list, after);
    const counts = { changed: 0, refused: 0 };
    for (const object of objects) {
      const about = { level: "warn", function: "maintenance", object_id: object.id } as const;
      try {
        const args = { p_ticket: drawn?.ticket as number, p_object: object as unknown as Json };
        const { changed } = dataOf(await admin.rpc("apply_stripe_object", args)) as { changed: boolean };
        if (!changed) continue;
        counts.changed++;
        log({ ...about, event: "stripe_repaired" });
      } catch (error) {
        if (error instanceof AppError && error.code === "database_unavailable") throw error;
        counts.refused++;
        log({ ...about, event: "stripe_not_repaired", error: describeError(error) });
      }
    }
    dataOf(
      await admin.rpc("finish_stripe_page", {
        p_list: list,
        p_checked: objects.length,
        p_changed: counts.changed,
        ...(next && { p_after: next }),
      }),
    );
    return counts;
  }

  return {
    name: "reconcile_stripe",
    ready: () => account.configured,
    async run(admin, timeIsUp) {
      let count = 0;
      let refused = 0;
      let status: "done" | "unfinished" = "unfinished";
      while (!timeIsUp()) {
        const [page] = dataOf(await admin.rpc("next_stripe_page", { p_lease_seconds: LEASE_SECONDS }));
        if (!page) {
          status = "done";
          break;
        }
        const compared = await comparePage(admin, page.list, page.after);
        count += compared.changed;
        refused += compared.refused;
      }
      if (refused > 0) {
        throw new Error(`${refused} objects of Stripe's could not be stored. The log names them.`);
      }
      return { status, count };
    },
  };
}

const from = (after: string | null) => ({ limit: PAGE, ...(after && { starting_after: after }) });

const nextOf = ({ has_more, data }: Stripe.ApiList<{ id: string }>) =>
  has_more ? data.at(-1)?.id ?? null : null;
