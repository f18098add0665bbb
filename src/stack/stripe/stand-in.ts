import type { Account } from "./account.ts";
import { createApi } from "./api.ts";
import { type AccountOptions, createAccount } from "./clock.ts";
import { createFaults, type Faults } from "./faults.ts";
import { addPages } from "./pages.ts";
import { createWebhooks, type Send, type Webhooks, type WebhooksOptions } from "./webhooks.ts";

export interface StandInOptions extends Omit<AccountOptions, "onEvent"> {
  /** `sk_test_…` */
  secretKey: string;
  /** What webhooks are signed with. */
  webhookSecrets: string[];
  /** The types of events that the webhook's endpoint asks for. Default: all. */
  webhookTypes?: readonly string[];
  /** Where webhooks go; without it they wait to be delivered. */
  send?: Send;
  retryAfterMs?: WebhooksOptions["retryAfterMs"];
  /** Is told that something may have changed. */
  onChange?: () => void;
}

/** A Stripe for development and tests: one account in memory, in the shapes of the API version that the SDK speaks. */
export interface StandIn {
  readonly account: Account;
  /** Answers API requests and pages: for a server, or for `Stripe.createFetchHttpClient` without one. */
  fetch(request: Request): Promise<Response>;
  /** Lets time pass, with everything that happens meanwhile: trials end, periods are billed, payments retried. */
  advance(seconds: number): void;
  /** How far its time is ahead of the machine's, in seconds. */
  readonly ahead: number;
  faults: Faults;
  webhooks: Webhooks;
  /** Fetch as the SDK's HTTP client takes it. */
  readonly fetchForSdk: typeof fetch;
}

export function createStripeStandIn(options: StandInOptions): StandIn {
  const { secretKey, webhookSecrets, onChange = () => {} } = options;
  const faults = createFaults();
  const webhooks = createWebhooks({
    send: options.send,
    secrets: webhookSecrets,
    onChange,
    ...(options.retryAfterMs && { retryAfterMs: options.retryAfterMs }),
  });
  const { webhookTypes } = options;
  const clocked = createAccount({
    ...options,
    onEvent: (event) => {
      if (!webhookTypes || webhookTypes.includes(event.type)) webhooks.enqueue(event);
    },
  });
  const { account, catchUp } = clocked;

  function advance(seconds: number) {
    clocked.advance(seconds);
    onChange();
  }

  const app = createApi({ account, secretKey, faults, catchUp });
  addPages(app, account, { advance, catchUp });

  async function answer(request: Request): Promise<Response> {
    const response = await app.fetch(request);
    if (request.method !== "GET") onChange();
    return response;
  }

  return {
    account,
    fetch: answer,
    fetchForSdk: (input, init) => answer(new Request(input, init)),
    advance,
    get ahead() {
      return clocked.ahead;
    },
    faults,
    webhooks,
  };
}
