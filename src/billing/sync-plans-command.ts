// `npm run stripe:sync-plans [-- --dry-run]`: Stripe's products and prices, and the database's plans, as the plan file says.
import { parseArgs } from "node:util";
import { createClient } from "@supabase/supabase-js";
import { createStripe } from "../../functions/_shared/stripe.ts";
import type { Database } from "../../types/database.ts";
import { operatorsProject } from "./operators-project.ts";
import { readPlans } from "./plan-file.ts";
import { syncPlans } from "./sync-plans.ts";

const { values } = parseArgs({ options: { "dry-run": { type: "boolean", default: false } } });
const dryRun = values["dry-run"];

try {
  const { url, secretKey, stripeKey, stripeUrl } = operatorsProject();
  const account = createStripe({ STRIPE_SECRET_KEY: stripeKey, STRIPE_API_URL: stripeUrl });
  const differences = await syncPlans({
    stripe: await account.client(),
    supabase: createClient<Database>(url, secretKey, { auth: { persistSession: false } }),
    plans: readPlans(),
    livemode: account.livemode,
    dryRun,
    say: (line) => console.log(line),
  });
  if (differences === 0) console.log("Nothing differs.");
  else if (dryRun) console.log("\nNothing was changed. Run it without --dry-run to make it so.");
} catch (error) {
  console.error(`✗ ${(error as Error).message}`);
  process.exitCode = 1;
}
