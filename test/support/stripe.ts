import { createClient } from "@supabase/supabase-js";
import Stripe from "stripe";
import { readPlans } from "../../src/billing/plan-file.ts";
import { syncPlans } from "../../src/billing/sync-plans.ts";
import type { Database } from "../../types/database.ts";
import type { Project } from "./project-of-environment.ts";

/** The account that the stand-in at this address keeps. */
export function standInClient(address: string): Stripe {
  const { hostname, port } = new URL(address);
  return new Stripe("sk_test_standin", { protocol: "http", host: hostname, port, maxNetworkRetries: 0 });
}

/** Sells the plan file's plans in this project. */
export function sellPlans(
  { url, secretKey }: Project,
  stripe: Stripe,
  say = (_line: string) => {},
  dryRun = false,
) {
  const supabase = createClient<Database>(url, secretKey, { auth: { persistSession: false } });
  return syncPlans({ stripe, supabase, plans: readPlans(), livemode: false, dryRun, say });
}

/** Presses the button on a page of the stand-in, as a person would. */
export const press = (url: string, form: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
