import type { SupabaseContext } from "@supabase/server";
import type { Database, Json } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { AppError } from "../_shared/errors.ts";

/** What billing knows of an organization. */
export interface BillingContext {
  organization: { id: string; name: string; slug: string };
  customer_id: string | null;
  livemode: boolean | null;
  seats: { used: number; limit: number | null; billing: SeatBilling };
  /** The one that has not ended; null when there is none. */
  subscription: {
    id: string;
    status: string;
    currency: string;
    /** Of the plan: seats, where it sells them. */
    quantity: number;
    cancel_at: string | null;
    cancel_at_period_end: boolean;
    items: Item[];
  } | null;
}

export interface Item {
  id: string;
  price_id: string;
  plan_key: string | null;
  kind: "plan" | "addon" | null;
  quantity: number;
  /** Billed by usage: beside its plan's own item. */
  metered: boolean;
}

export type SeatBilling = "included" | "bought" | "per_member";

/** A price that is sold today. */
export interface Price {
  id: string;
  interval: string;
  currency: string;
  kind: string;
  seatBilling: SeatBilling;
  /** The plan's limit of seats; null when there is none. */
  mostSeats: number | null;
  /** The prices by usage that are sold with it. */
  metered: string[];
  /** What it grants. */
  grants: string[];
  /** Of what it grants: what it bills beyond. */
  overage: string[];
}

/**
 * The database: reading as the caller, whose permission it checks; writing what Stripe answered as a server. Throws
 * AppErrors.
 */
export interface Backend {
  /** @throws {AppError} `not_permitted` without billing.manage. */
  context(organizationId: string): Promise<BillingContext>;
  /** Those of the ids that are sold. */
  prices(ids: string[], livemode: boolean): Promise<Price[]>;
  /** The organization's customer: this one, or the one that was there first. */
  linkCustomer(organizationId: string, customerId: string, livemode: boolean): Promise<string>;
  /** To be drawn before Stripe is asked: what was read later wins. */
  ticket(): Promise<number>;
  /** Stores an object as it was fetched. Resolves to whether that changed anything. */
  apply(ticket: number, object: object): Promise<boolean>;
}

type Context = Pick<SupabaseContext<Database>, "supabase" | "supabaseAdmin">;

export function createBackend({ supabase, supabaseAdmin }: Context, requestId: string): Backend {
  const header = ["x-request-id", requestId] as const;
  return {
    async context(organizationId) {
      const answer = await supabase.rpc("billing_context", { p_organization_id: organizationId });
      return dataOf(answer) as unknown as BillingContext;
    },
    async prices(ids, livemode) {
      const rows = dataOf(
        await supabase.from("plan_prices")
          .select(
            `stripe_price_id, interval, currency, plans!inner (
              kind, seat_billing, archived_at, plan_limits (key, value, overage),
              plan_prices (stripe_price_id, interval, currency, metric, active, livemode)
            )`,
          )
          .in("stripe_price_id", ids).eq("active", true).eq("livemode", livemode)
          .is("metric", null).is("plans.archived_at", null),
      );
      return rows.map(({ stripe_price_id, interval, currency, plans }) => ({
        id: stripe_price_id,
        interval,
        currency,
        kind: plans.kind,
        seatBilling: plans.seat_billing as SeatBilling,
        mostSeats: plans.plan_limits.find(({ key }) => key === "seats")?.value ?? null,
        metered: plans.plan_prices
          .filter((one) =>
            one.metric !== null && one.active && one.livemode === livemode &&
            one.interval === interval && one.currency === currency
          )
          .map((one) => one.stripe_price_id),
        grants: plans.plan_limits.map(({ key }) => key),
        overage: plans.plan_limits.filter(({ overage }) => overage).map(({ key }) => key),
      }));
    },
    async linkCustomer(organizationId, customerId, livemode) {
      const args = { p_organization_id: organizationId, p_customer_id: customerId, p_livemode: livemode };
      return dataOf(await supabaseAdmin.rpc("link_stripe_customer", args).setHeader(...header));
    },
    async ticket() {
      const [drawn] = dataOf(await supabaseAdmin.rpc("stripe_ticket", {}));
      if (!drawn) throw new AppError("internal");
      return drawn.ticket;
    },
    async apply(ticket, object) {
      const args = { p_ticket: ticket, p_object: object as Json };
      const result = dataOf(await supabaseAdmin.rpc("apply_stripe_object", args).setHeader(...header));
      return (result as { changed: boolean }).changed;
    },
  };
}
