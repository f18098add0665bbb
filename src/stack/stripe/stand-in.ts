import type { Hono } from "hono";
import { type Account, type AfterRetries, API_VERSION, type Books, emptyBooks, newId } from "./account.ts";
import { createApi } from "./api.ts";
import { nextDue } from "./due.ts";
import { createFaults, type Faults } from "./faults.ts";
import { addPages } from "./pages.ts";
import { shown } from "./shown.ts";
import { createWebhooks, type Send, type Webhooks, type WebhooksOptions } from "./webhooks.ts";

export interface StandInOptions {
  /** `sk_test_…` */
  secretKey: string;
  /** What webhooks are signed with. */
  webhookSecrets: string[];
  /** Where webhooks go; without it they wait to be delivered. */
  send?: Send;
  retryAfterMs?: WebhooksOptions["retryAfterMs"];
  /** Address of its pages. */
  url?: string;
  /** What there was before. */
  books?: Books;
  /** Seconds since 1970: its time stands still until it is advanced. Default: it goes with the machine's. */
  startsAt?: number;
  /** How far its time is ahead of the machine's, in seconds. */
  ahead?: number;
  afterRetries?: AfterRetries;
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
  readonly ahead: number;
  faults: Faults;
  webhooks: Webhooks;
  /** Fetch as the SDK's HTTP client takes it. */
  readonly fetchForSdk: typeof fetch;
}

export function createStripeStandIn(options: StandInOptions): StandIn {
  const { secretKey, webhookSecrets, startsAt, url = "http://stripe.invalid", onChange = () => {} } = options;
  const books = options.books ?? emptyBooks();
  const faults = createFaults();
  const webhooks = createWebhooks({
    send: options.send,
    secrets: webhookSecrets,
    onChange,
    ...(options.retryAfterMs && { retryAfterMs: options.retryAfterMs }),
  });
  let ahead = options.ahead ?? 0;
  let standing = startsAt;
  /** While something that was due happens, it is the time at which it was. */
  let happening: number | undefined;
  const present = () => standing ?? Math.floor(Date.now() / 1000) + ahead;

  const account: Account = {
    books,
    url,
    afterRetries: options.afterRetries ?? "canceled",
    now: () => happening ?? present(),
    emit(type, object, previous) {
      const event = {
        id: newId("evt"),
        object: "event",
        api_version: API_VERSION,
        created: account.now(),
        data: { object: shown(object), ...(previous && { previous_attributes: previous }) },
        livemode: false,
        pending_webhooks: 1,
        request: { id: null, idempotency_key: null },
        type,
      };
      const recorded = { id: event.id, type, created: event.created, body: JSON.stringify(event, null, 2) };
      books.events.push(recorded);
      webhooks.enqueue(recorded);
    },
  };

  let caughtUp = 0;
  function catchUp(changed: boolean) {
    if (!changed && caughtUp === present()) return;
    caughtUp = present();
    try {
      for (let due = nextDue(account); due && due.at <= caughtUp; due = nextDue(account)) {
        happening = due.at;
        due.happen();
      }
    } finally {
      happening = undefined;
    }
  }

  const app: Hono = createApi({ account, secretKey, faults, catchUp });
  addPages(app, account, { advance, catchUp });

  async function answer(request: Request): Promise<Response> {
    const response = await app.fetch(request);
    if (request.method !== "GET") onChange();
    return response;
  }

  function advance(seconds: number) {
    if (standing === undefined) ahead += seconds;
    else standing += seconds;
    catchUp(true);
    onChange();
  }

  return {
    account,
    fetch: answer,
    fetchForSdk: (input, init) => answer(new Request(input, init)),
    advance,
    get ahead() {
      return ahead;
    },
    faults,
    webhooks,
  };
}
