import { createRoute, type z } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import { authenticate } from "../_shared/auth.ts";
import { errorResponses } from "../_shared/responses.ts";
import * as schemas from "./schemas.ts";

const refusals = [
  "missing_credentials",
  "invalid_token",
  "not_permitted",
  "malformed_body",
  "validation_failed",
  "database_unavailable",
  "billing_unavailable",
] as const;

const notSold = ["unknown_price", "prices_do_not_mix", "too_few_seats", "too_many_seats"] as const;

const notThere = ["no_subscription", "subscription_changed"] as const;

const body = <Schema extends z.ZodType>(schema: Schema) => ({
  body: { required: true as const, content: { "application/json": { schema } } },
});

const answer = <Schema extends z.ZodType>(schema: Schema) => ({
  description: "Done.",
  content: { "application/json": { schema } },
});

/** What each route takes and gives. All are for those who manage the organization's billing. */
export function createRoutes(keys?: Partial<SupabaseEnv>) {
  const common = {
    tags: ["billing"],
    security: [{ userToken: [], publishableKey: [] }],
    middleware: authenticate("user", keys),
  };
  return {
    checkout: createRoute({
      ...common,
      method: "post",
      path: "/checkout",
      operationId: "startCheckout",
      summary: "Opens a page where a subscription is bought",
      description: "Asking again gives the same page; another choice closes the page before it. The " +
        "subscription is there when Stripe has told us: read `subscriptions`.",
      request: body(schemas.checkoutInput),
      responses: {
        200: answer(schemas.checkout),
        ...errorResponses(...refusals, ...notSold, "return_url_not_allowed", "already_subscribed"),
      },
    }),
    portal: createRoute({
      ...common,
      method: "post",
      path: "/portal",
      operationId: "openPortal",
      summary: "Opens Stripe's page of cards, addresses and invoices",
      request: body(schemas.portalInput),
      responses: {
        200: answer(schemas.portal),
        ...errorResponses(...refusals, "return_url_not_allowed"),
      },
    }),
    preview: createRoute({
      ...common,
      method: "post",
      path: "/preview",
      operationId: "previewChange",
      summary: "What a change of plan, seats or add-ons costs now",
      request: body(schemas.previewInput),
      responses: {
        200: answer(schemas.preview),
        ...errorResponses(...refusals, ...notSold, ...notThere, "invoice_unpaid"),
      },
    }),
    change: createRoute({
      ...common,
      method: "post",
      path: "/change",
      operationId: "changeSubscription",
      summary: "Changes plan, seats and add-ons, charging or crediting the rest of the period now",
      description: "A card that is declined changes nothing.",
      request: body(schemas.changeInput),
      responses: {
        200: answer(schemas.subscription),
        ...errorResponses(
          ...refusals,
          ...notSold,
          ...notThere,
          "invoice_unpaid",
          "payment_failed",
          "preview_expired",
        ),
      },
    }),
    cancel: createRoute({
      ...common,
      method: "post",
      path: "/cancel",
      operationId: "cancelSubscription",
      summary: "Ends the subscription with its period, or now",
      request: body(schemas.cancelInput),
      responses: { 200: answer(schemas.subscription), ...errorResponses(...refusals, ...notThere) },
    }),
    resume: createRoute({
      ...common,
      method: "post",
      path: "/resume",
      operationId: "resumeSubscription",
      summary: "Takes a cancellation or a pause back, before the end",
      request: body(schemas.resumeInput),
      responses: {
        200: answer(schemas.subscription),
        ...errorResponses(...refusals, ...notThere, "payment_failed"),
      },
    }),
    invoices: createRoute({
      ...common,
      method: "get",
      path: "/invoices",
      operationId: "listInvoices",
      summary: "The invoices at Stripe, newest first, with links that work now",
      description: "The table `invoices` holds the same under row security; its links end after a month.",
      request: { query: schemas.invoicesQuery },
      responses: { 200: answer(schemas.invoices), ...errorResponses(...refusals) },
    }),
  };
}
