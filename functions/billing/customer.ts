import type Stripe from "stripe";
import { isOurs } from "../_shared/stripe-fetch.ts";
import type { Backend, BillingContext } from "./backend.ts";
import { fromStripe, isMissingCustomer } from "./stripe-errors.ts";

export interface CustomerOptions {
  client: Stripe;
  backend: Pick<Backend, "linkCustomer" | "ticket" | "apply">;
  context: Pick<BillingContext, "organization" | "customer_id">;
  /** Where Stripe sends receipts until somebody changes it there. */
  mail: string | undefined;
  livemode: boolean;
}

/**
 * Does something with the organization's one customer at Stripe, made when there is none, or when somebody deleted it
 * there.
 */
export async function withCustomer<T>(
  options: CustomerOptions,
  work: (customerId: string) => Promise<T>,
): Promise<T> {
  const { client, backend, context, livemode } = options;
  const id = context.customer_id;
  if (!id) return await work(await makeCustomer(options));
  const ticket = await backend.ticket();
  try {
    return await work(id);
  } catch (error) {
    const gone = isMissingCustomer(error) && await fromStripe(isOurs(client, id, livemode));
    if (!gone) throw error;
    await backend.apply(ticket, { kind: "customer", id, customer_id: id, livemode, deleted: true });
    return await work(await makeCustomer(options));
  }
}

// The database decides which of two that race is the one.
async function makeCustomer(
  { client, backend, context, mail, livemode }: CustomerOptions,
): Promise<string> {
  const { organization } = context;
  const made = await fromStripe(client.customers.create({
    name: organization.name,
    ...(mail && { email: mail }),
    // For people who look at Stripe: nothing here trusts it.
    metadata: { organization_id: organization.id },
  }));
  const linked = await backend.linkCustomer(organization.id, made.id, livemode);
  // It would stay behind, empty.
  if (linked !== made.id) await client.customers.del(made.id).catch(() => {});
  return linked;
}
