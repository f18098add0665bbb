import { z } from "@hono/zod-openapi";
import { uuid } from "../_shared/validation.ts";

// Stripe's own, and old plans' names; never a character that means something in a query.
const priceId = z.string().regex(/^[\w.-]{1,255}$/).openapi({
  description: "One of `plan_prices.stripe_price_id` that is active.",
  example: "price_1Q…",
});
const quantity = z.int().min(1).max(1_000_000);
const returnUrl = z.url({ protocol: /^https?$/ }).max(2_000);

/** What is bought: a plan, and what may be added to it. */
const selection = {
  price_id: priceId,
  quantity: quantity.optional().openapi({
    description: "Seats, for a plan that sells them; by default those there are, or as many as members now.",
  }),
  addons: z.array(z.object({ price_id: priceId, quantity: quantity.optional() })).max(20).optional(),
};

export const checkoutInput = z.object({
  organization_id: uuid,
  ...selection,
  success_url: returnUrl.optional(),
  cancel_url: returnUrl.optional(),
}).openapi("CheckoutInput");

export const checkout = z.object({
  session_id: z.string(),
  url: z.string().openapi({ description: "Send the browser there. It is good for a day." }),
}).openapi("Checkout");

export const portalInput = z.object({
  organization_id: uuid,
  return_url: returnUrl.optional(),
}).openapi("PortalInput");

export const portal = z.object({
  url: z.string().openapi({ description: "Send the browser there at once: it is good for minutes." }),
}).openapi("Portal");

export const previewInput = z.object({ organization_id: uuid, ...selection })
  .openapi("ChangePreviewInput");

export const changeInput = z.object({
  organization_id: uuid,
  ...selection,
  proration_date: z.int().optional().openapi({
    description: "Seconds since 1970, from a preview of the last hour: what was shown is what is charged.",
  }),
}).openapi("ChangeInput");

const minorUnits = z.int().openapi({ description: "In the currency's minor unit; negative is a credit." });

export const preview = z.object({
  currency: z.string(),
  amount_due: minorUnits,
  total: minorUnits,
  lines: z.array(z.object({
    description: z.string().nullable(),
    amount: minorUnits,
    proration: z.boolean(),
  })),
  proration_date: z.int().openapi({ description: "Hand it to the change." }),
}).openapi("ChangePreview");

export const cancelInput = z.object({
  organization_id: uuid,
  when: z.enum(["period_end", "now"]).optional(),
}).openapi("CancelInput");

export const resumeInput = z.object({ organization_id: uuid })
  .openapi("ResumeInput");

export const subscription = z.object({
  id: z.string(),
  status: z.string().openapi({ description: "Stripe's; values that are not known today may come." }),
  cancel_at_period_end: z.boolean(),
  cancel_at: z.iso.datetime().nullable(),
  current_period_end: z.iso.datetime().nullable(),
}).openapi("SubscriptionState");

export const invoicesQuery = z.object({
  organization_id: uuid,
  after: z.string().max(255).optional().openapi({ description: "`next` of the page before." }),
  limit: z.coerce.number().int().min(1).max(100).default(20),
});

export const invoices = z.object({
  data: z.array(z.object({
    id: z.string(),
    number: z.string().nullable(),
    status: z.string().nullable(),
    currency: z.string(),
    total: minorUnits,
    amount_due: minorUnits,
    amount_paid: minorUnits,
    created_at: z.iso.datetime(),
    hosted_invoice_url: z.string().nullable(),
    invoice_pdf: z.string().nullable(),
  })),
  next: z.string().nullable(),
}).openapi("InvoicePage");

export type Selection = Omit<z.output<typeof previewInput>, "organization_id">;
