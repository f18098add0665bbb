import { denoBinary } from "../../src/stack/functions/deno.ts";
import { type Instance, startInstance } from "../../src/stack/functions/instance.ts";
import { repository } from "../../src/stack/repository.ts";

export const SECRET_KEY = "sk_test_standin";
export const WEBHOOK_SECRET = "whsec_standin";

export interface ServedWebhook extends Instance {
  /** Sends a request to it: the answer's status. */
  send(request: { body: string; headers: Record<string, string> }): Promise<number>;
}

/** The function itself, in a Deno process of its own as the platform runs it. */
export async function serveWebhook(databaseUrl: string, stripeUrl: string): Promise<ServedWebhook> {
  const instance = await startInstance({
    name: "stripe-webhook",
    directory: repository("functions"),
    environment: {
      SUPABASE_DB_URL: databaseUrl,
      STRIPE_SECRET_KEY: SECRET_KEY,
      STRIPE_API_URL: stripeUrl,
      STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
    },
    deno: denoBinary(),
    onSpawn: () => {},
    onLine: () => {},
    bootLimitMs: 60_000,
  });
  return {
    ...instance,
    get ended() {
      return instance.ended;
    },
    async send({ body, headers }) {
      const url = `http://127.0.0.1:${instance.port}/stripe-webhook`;
      const response = await fetch(url, { method: "POST", body, headers });
      await response.body?.cancel();
      return response.status;
    },
  };
}
