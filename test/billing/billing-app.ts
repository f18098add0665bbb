import { createClient } from "@supabase/supabase-js";
import Stripe from "stripe";
import { createApp } from "../../functions/billing/app.ts";
import { syncPlans } from "../../src/billing/sync-plans.ts";
import type { StandIn } from "../../src/stack/stripe/stand-in.ts";
import type { Database } from "../../types/database.ts";
import type { Project } from "../support/project-of-environment.ts";

/** The function's own code and the real database, with a Stripe that tells nobody of what happens there. */
export function createBillingApp(project: Project, { account, fetchForSdk }: StandIn) {
  const stripe = new Stripe("sk_test_standin", {
    httpClient: Stripe.createFetchHttpClient(fetchForSdk),
    maxNetworkRetries: 0,
  });
  const app = createApp({
    stripe: { livemode: false, client: () => Promise.resolve(stripe) },
    appUrl: () => "http://localhost:3000",
    returnOrigins: () => undefined,
    clock: () => account.now() * 1000,
    log: () => {},
    keys: {
      url: project.url,
      publishableKeys: { default: project.publishableKey },
      secretKeys: { default: project.secretKey },
      jwks: new URL(`${project.url}/auth/v1/.well-known/jwks.json`),
    },
  });
  return {
    stripe,
    app,
    /** Puts plans on sale, in both. */
    async sell(plans: Parameters<typeof syncPlans>[0]["plans"]) {
      const supabase = createClient<Database>(project.url, project.secretKey, {
        auth: { persistSession: false },
      });
      await syncPlans({ stripe, supabase, plans, livemode: false, dryRun: false, say: () => {} });
    },
  };
}
