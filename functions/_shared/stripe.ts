import type Stripe from "stripe";
import { readVariable } from "./env.ts";
import { AppError } from "./errors.ts";

/** The account at Stripe, or the stand-in that the local stack runs. */
export interface StripeAccount {
  /** True where real money moves: told by the key, so that no event or object of the other mode is taken for ours. */
  livemode: boolean;
  /** False where this backend sells nothing. */
  configured: boolean;
  /** The client, loaded at first use. @throws {AppError} `billing_unavailable` where there is no key. */
  client(): Promise<Stripe>;
}

/** Most milliseconds one request to Stripe may take; it is tried three times. */
const TIMEOUT_MS = 8_000;

export function createStripe(environment?: Record<string, string | undefined>): StripeAccount {
  let loading: Promise<Stripe> | undefined;

  async function load(): Promise<Stripe> {
    const key = readVariable("STRIPE_SECRET_KEY", environment);
    if (!key) {
      throw new AppError("billing_unavailable", { cause: new Error("STRIPE_SECRET_KEY is missing.") });
    }
    const address = readVariable("STRIPE_API_URL", environment);
    const { default: Stripe } = await import("stripe");
    return new Stripe(key, {
      // Waits longer after each failure, and heeds Stripe-Should-Retry.
      maxNetworkRetries: 2,
      timeout: TIMEOUT_MS,
      telemetry: false,
      appInfo: { name: "nectar" },
      ...(address && elsewhere(new URL(address))),
    });
  }

  return {
    get livemode() {
      return /^(sk|rk)_live_/.test(readVariable("STRIPE_SECRET_KEY", environment) ?? "");
    },
    get configured() {
      return readVariable("STRIPE_SECRET_KEY", environment) !== undefined;
    },
    client() {
      loading ??= load();
      loading.catch(() => loading = undefined);
      return loading;
    },
  };
}

const elsewhere = ({ protocol, hostname, port }: URL) => ({
  protocol: protocol === "https:" ? "https" as const : "http" as const,
  host: hostname,
  port,
});
