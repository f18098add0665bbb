import { readVariable } from "../_shared/env.ts";
import { createStripe } from "../_shared/stripe.ts";
import { createApp } from "./app.ts";

const app = createApp({
  stripe: createStripe(),
  appUrl: () => readVariable("APP_URL"),
  returnOrigins: () => readVariable("BILLING_RETURN_ORIGINS"),
});

export default { fetch: app.fetch };
