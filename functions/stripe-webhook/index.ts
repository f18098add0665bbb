import { readVariable } from "../_shared/env.ts";
import { createPostgres } from "../_shared/postgres.ts";
import { createStripe } from "../_shared/stripe.ts";
import { createApp } from "./app.ts";
import { createLedger } from "./ledger.ts";

const database = createPostgres({ url: () => readVariable("SUPABASE_DB_URL") });

const app = createApp({
  stripe: createStripe(),
  ledger: createLedger(database),
  secrets: () => readVariable("STRIPE_WEBHOOK_SECRETS") ?? [],
});

export default { fetch: app.fetch };
