import type Stripe from "stripe";
import { AppError } from "../_shared/errors.ts";
import { isOver, normalizeSubscription, withAllItems } from "../_shared/stripe-objects.ts";
import type { Backend } from "./backend.ts";
import type { Chosen } from "./selection.ts";
import { fromStripe, isFailure, isRefused, isRepeated, isTaken } from "./stripe-errors.ts";

export interface CheckoutOptions {
  client: Stripe;
  backend: Pick<Backend, "ticket" | "apply">;
  organizationId: string;
  customerId: string;
  chosen: Chosen;
  successUrl: string;
  cancelUrl: string;
  /** Milliseconds since 1970. */
  now: number;
}

interface Page {
  id: string;
  url: string;
}

/** How often somebody else may choose in the very same moment, or Stripe fail. */
const ATTEMPTS = 4;

/**
 * A page at Stripe where the subscription is bought. There is at most one open page per organization, and none once it is
 * paid, so that nobody pays twice: the same choice gives the same page, another one closes the page before it.
 *
 * @throws {AppError} `already_subscribed`, and what `fromStripe` throws.
 */
export async function openCheckout(options: CheckoutOptions): Promise<Page> {
  const { client, customerId, chosen, successUrl, cancelUrl, now } = options;
  const choice = await digest([chosen, successUrl, cancelUrl]);
  let last: string | undefined;
  let failures = 0;

  for (let attempt = 1;; attempt++) {
    const sessions = await fromStripe(client.checkout.sessions.list({ customer: customerId, limit: 100 }));
    const open = sessions.data.filter(({ status }) => status === "open");
    const same = open.find(({ metadata, url }) => metadata?.["choice"] === choice && url);
    if (same) return pageOf(same);

    for (const { id } of open) await close(client, id);
    await refuseSecond(options);
    const newest = sessions.data[0]?.id;
    if (attempt > 1) failures = newest === last ? failures + 1 : 0;
    last = newest;
    try {
      // The key is made of the page before: of all who saw that one as the newest, one opens the next. Stripe repeats
      // failures and refusals too for a day, to everybody who has the key: what comes after one has another each minute.
      const again = failures > 0 && [failures, Math.floor(now / 60_000)];
      const idempotencyKey = `nectar-checkout-${await digest([customerId, newest, again])}`;
      return pageOf(await openPage(options, choice, idempotencyKey));
    } catch (error) {
      // Taken: somebody chose something else in this moment, and now there is their page.
      if (!(isTaken(error) || isFailure(error) || isRepeated(error)) || attempt === ATTEMPTS) throw error;
    }
  }
}

const openPage = (
  { client, organizationId, customerId, chosen, successUrl, cancelUrl }: CheckoutOptions,
  choice: string,
  idempotencyKey: string,
) =>
  fromStripe(client.checkout.sessions.create({
    mode: "subscription",
    customer: customerId,
    line_items: [chosen.plan, ...chosen.metered.map((price) => ({ price })), ...chosen.addons],
    success_url: successUrl,
    cancel_url: cancelUrl,
    client_reference_id: organizationId,
    metadata: { choice },
    subscription_data: { metadata: { organization_id: organizationId } },
  }, { idempotencyKey }));

/** Nobody can pay on it any more. One that was paid in this moment, or closed by somebody else, is closed as well. */
async function close(client: Stripe, id: string): Promise<void> {
  try {
    await fromStripe(client.checkout.sessions.expire(id));
  } catch (error) {
    if (!isRefused(error)) throw error;
  }
}

/** What was bought, and nobody has told us of yet, is stored, and nothing sold beside it. */
async function refuseSecond({ client, backend, customerId }: CheckoutOptions): Promise<void> {
  const ticket = await backend.ticket();
  const { data } = await fromStripe(client.subscriptions.list({ customer: customerId, limit: 100 }));
  const bought = data.filter(({ status }) => !isOver(status) && status !== "incomplete");
  for (const subscription of bought) {
    await backend.apply(ticket, normalizeSubscription(await fromStripe(withAllItems(client, subscription))));
  }
  if (bought.length > 0) throw new AppError("already_subscribed");
}

function pageOf({ id, url }: Stripe.Checkout.Session): Page {
  if (url) return { id, url };
  throw new AppError("billing_unavailable", { cause: new Error("a session without a URL") });
}

async function digest(value: unknown): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(value)));
  return Array.from(new Uint8Array(bytes).slice(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
