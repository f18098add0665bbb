import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import type { components } from "../../types/functions.ts";
import type { FunctionsClient } from "./functions.ts";
import type { CallOptions } from "./organizations.ts";
import { type Outcome, outcome } from "./outcome.ts";

type Schemas = components["schemas"];
type Tables = Database["public"]["Tables"];

/** A plan or add-on that is sold, with its prices and what it grants. */
export type SoldPlan = Tables["plans"]["Row"] & {
  plan_prices: Tables["plan_prices"]["Row"][];
  plan_limits: Tables["plan_limits"]["Row"][];
};

/** What is chosen: the price of a plan, seats where it sells them, and add-ons. */
export type Selection = Pick<Schemas["ChangePreviewInput"], "price_id"> &
  Partial<Omit<Schemas["ChangePreviewInput"], "organization_id" | "price_id">>;

/** Plans, the subscription, invoices and what they entitle to. Nothing here throws. */
export type BillingClient = ReturnType<typeof createBillingClient>;

export function createBillingClient(supabase: SupabaseClient<Database>, functions: FunctionsClient) {
  const within = <Query extends { abortSignal(signal: AbortSignal): Query }>(
    query: Query,
    options: CallOptions,
  ) => (options.signal ? query.abortSignal(options.signal) : query);
  const body = <T extends object>(organizationId: string, rest: T, { signal }: CallOptions) => ({
    body: { organization_id: organizationId, ...rest },
    ...(signal && { signal }),
  });

  return {
    /** What is sold today, in the order to show it. */
    plans: (options: CallOptions = {}): Promise<Outcome<SoldPlan[], never>> =>
      outcome(
        within(
          supabase
            .from("plans")
            .select("*, plan_prices (*), plan_limits (*)")
            .is("archived_at", null)
            .eq("is_public", true)
            .eq("plan_prices.active", true)
            .order("position"),
          options,
        ),
        [],
      ),

    /** The subscription that entitles the organization, with its items; null on the free plan. */
    subscription: (organizationId: string, options: CallOptions = {}) =>
      outcome<
        | (Tables["subscriptions"]["Row"] & { subscription_items: Tables["subscription_items"]["Row"][] })
        | null,
        never
      >(
        within(
          supabase
            .from("subscriptions")
            .select("*, subscription_items (*)")
            .eq("organization_id", organizationId)
            .eq("is_current", true),
          options,
        ).maybeSingle(),
        [],
      ),

    /** What the organization may have of everything: plan, add-ons, overrides and the subscription's state together. */
    entitlements: (organizationId: string, options: CallOptions = {}) =>
      outcome(
        within(
          supabase
            .from("organization_entitlements")
            .select("*")
            .eq("organization_id", organizationId)
            .order("key"),
          options,
        ),
        [],
      ),

    /** A page at Stripe where the subscription is bought: send the browser to `url`. */
    checkout: (
      organizationId: string,
      selection: Selection & { success_url?: string; cancel_url?: string },
      options: CallOptions = {},
    ) => functions.POST("/billing/checkout", body(organizationId, selection, options)),

    /** Stripe's page of cards and addresses: send the browser to `url`. */
    portal: (
      organizationId: string,
      { return_url, ...options }: CallOptions & { return_url?: string } = {},
    ) => functions.POST("/billing/portal", body(organizationId, return_url ? { return_url } : {}, options)),

    /** What a change would cost now. Hand its `proration_date` to `change`, and no more is charged. */
    preview: (organizationId: string, selection: Selection, options: CallOptions = {}) =>
      functions.POST("/billing/preview", body(organizationId, selection, options)),

    /**
     * Changes plan, seats and add-ons at once, charging or crediting the rest of the period, once that is paid for
     * (`invoice_unpaid`). A declined card changes nothing (`payment_failed`). Without a quantity, seats that were bought are kept.
     */
    change: (
      organizationId: string,
      selection: Selection & { proration_date?: number },
      options: CallOptions = {},
    ) => functions.POST("/billing/change", body(organizationId, selection, options)),

    /** Ends the subscription with its period, or at once. */
    cancel: (
      organizationId: string,
      { when = "period_end", ...options }: CallOptions & { when?: "period_end" | "now" } = {},
    ) => functions.POST("/billing/cancel", body(organizationId, { when }, options)),

    /** Takes a cancellation or a pause back. */
    resume: (organizationId: string, options: CallOptions = {}) =>
      functions.POST("/billing/resume", body(organizationId, {}, options)),

    /** Invoices at Stripe, newest first, with links that work now. `invoices` under row security holds the same. */
    invoices: (
      organizationId: string,
      { after, limit, signal }: CallOptions & { after?: string; limit?: number } = {},
    ) =>
      functions.GET("/billing/invoices", {
        params: {
          query: { organization_id: organizationId, ...(after && { after }), ...(limit && { limit }) },
        },
        ...(signal && { signal }),
      }),
  };
}
