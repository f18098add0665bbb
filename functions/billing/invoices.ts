import type Stripe from "stripe";

/** A page of invoices in the words of our schema. */
export function invoicePage(
  { data, has_more }: Pick<Stripe.ApiList<Stripe.Invoice>, "data" | "has_more">,
) {
  return {
    data: data.map((invoice) => ({
      id: invoice.id as string,
      number: invoice.number,
      status: invoice.status,
      currency: invoice.currency,
      total: invoice.total,
      amount_due: invoice.amount_due,
      amount_paid: invoice.amount_paid,
      created_at: new Date(invoice.created * 1000).toISOString(),
      hosted_invoice_url: invoice.hosted_invoice_url ?? null,
      invoice_pdf: invoice.invoice_pdf ?? null,
    })),
    next: has_more ? data.at(-1)?.id ?? null : null,
  };
}
