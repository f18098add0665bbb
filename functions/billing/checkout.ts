import type Stripe from "stripe";
import { AppError } from "../_shared/errors.ts";
import type { Chosen } from "./selection.ts";
import { fromStripe } from "./stripe-errors.ts";

export interface CheckoutOptions {
  organizationId: string;
  customerId: string;
  chosen: Chosen;
  successUrl: string;
  cancelUrl: string;
}

/**
 * A page at Stripe where the subscription is bought. There is at most one open page per organization, so that nobody
 * pays twice: the same choice gives the same page, another one closes the page before it.
 */
export async function openCheckout(
  stripe: Stripe,
  options: CheckoutOptions,
): Promise<{ id: string; url: string }> {
  const { organizationId, customerId, chosen, successUrl, cancelUrl } = options;
  const choice = await digest([
    chosen.plan,
    chosen.addons,
    successUrl,
    cancelUrl,
  ]);
  const sessions = await fromStripe(
    stripe.checkout.sessions.list({ customer: customerId, limit: 100 }),
  );

  for (
    const session of sessions.data.filter(({ status }) => status === "open")
  ) {
    if (session.metadata?.["choice"] === choice && session.url) {
      return {
        id: session.id,
        url: session.url,
      };
    }
    // Paid in this very moment: then the webhook brings the subscription, and there is nothing to close.
    await stripe.checkout.sessions.expire(session.id).catch(() => {});
  }

  const created = await fromStripe(
    stripe.checkout.sessions.create({
      mode: "subscription",
      customer: customerId,
      line_items: [chosen.plan, ...chosen.addons],
      success_url: successUrl,
      cancel_url: cancelUrl,
      client_reference_id: organizationId,
      metadata: { choice },
      subscription_data: { metadata: { organization_id: organizationId } },
    }, {
      // Two clicks at once saw the same last session, and so make the same one.
      idempotencyKey: `nectar-checkout-${await digest([
        customerId,
        sessions.data[0]?.id ?? "first",
        choice,
      ])}`,
    }),
  );
  if (!created.url) {
    throw new AppError("billing_unavailable", {
      cause: new Error("a session without a URL"),
    });
  }
  return { id: created.id, url: created.url };
}

async function digest(value: unknown): Promise<string> {
  const bytes = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(JSON.stringify(value)),
  );
  return Array.from(
    new Uint8Array(bytes).slice(0, 16),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
