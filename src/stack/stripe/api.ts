import type { Context } from "hono";
import { Hono } from "hono";
import { type Account, API_VERSION, find, newId } from "./account.ts";
import { cardRoutes } from "./cards.ts";
import { catalogRoutes } from "./catalog.ts";
import { checkoutRoutes } from "./checkout.ts";
import { customerRoutes } from "./customers.ts";
import { StripeFailure } from "./failure.ts";
import { type Faults, failureOf } from "./faults.ts";
import { type Form, parseForm } from "./form.ts";
import { type Answer, createIdempotency } from "./idempotency.ts";
import { invoiceRoutes } from "./invoice-routes.ts";
import { meterEventRoutes } from "./meter-events.ts";
import { meterRoutes } from "./meters.ts";
import { page, paging } from "./pages-of-lists.ts";
import { text } from "./parameters.ts";
import { portalRoutes } from "./portal.ts";
import { type Route, route } from "./route.ts";
import { searchRoutes } from "./search.ts";
import { expanded, shown } from "./shown.ts";
import { subscriptionRoutes } from "./subscription-routes.ts";

export interface ApiOptions {
  account: Account;
  /** `sk_test_…`: the only key that is accepted. */
  secretKey: string;
  faults: Faults;
  /** Lets happen what is due: is called before each request, and after one that changed things. */
  catchUp: (changed: boolean) => void;
}

/** The part of Stripe's API that is needed, under `/v1`. */
export function createApi(options: ApiOptions): Hono {
  const { account } = options;
  const api = new Hono();
  const idempotency = createIdempotency();

  // Searches first: their paths look like an id's.
  const routes = [
    ...searchRoutes(account),
    ...catalogRoutes(account),
    ...customerRoutes(account),
    ...cardRoutes(account),
    ...subscriptionRoutes(account),
    ...invoiceRoutes(account),
    ...checkoutRoutes(account),
    ...portalRoutes(account),
    ...meterRoutes(account),
    ...meterEventRoutes(account),
    ...eventRoutes(account),
  ];
  for (const one of routes) {
    api.on(one.method, `/v1${one.path}`, (c) => answer(c, one, { ...options, idempotency }));
  }
  api.all("/v1/*", (c) => {
    const message = `Unrecognized request URL (${c.req.method}: ${c.req.path}): the stand-in may lack it.`;
    return write(describe(new StripeFailure(404, { type: "invalid_request_error", message })));
  });
  return api;
}

type Answering = ApiOptions & { idempotency: ReturnType<typeof createIdempotency> };

async function answer(c: Context, { call }: Route, options: Answering): Promise<Response> {
  const { account, secretKey, faults, catchUp, idempotency } = options;
  const { method, path } = c.req;
  const body = method !== "POST" ? new URL(c.req.url).search.slice(1) : await c.req.text();
  const fault = await faults.meet(method, path);
  const headers = {
    ...(fault?.shouldRetry !== undefined && { "stripe-should-retry": String(fault.shouldRetry) }),
    ...(fault?.retryAfterSeconds && { "retry-after": String(fault.retryAfterSeconds) }),
  };
  const failure = fault?.status === undefined ? undefined : describe(failureOf(fault.status));
  if (failure && !fault?.afterwards) return write(failure, headers);

  const key = method === "POST" ? c.req.header("idempotency-key") : undefined;
  const request = `${method} ${path}\n${body}`;
  let done: Answer;
  try {
    authorize(c, secretKey);
    const known = key ? idempotency.recall(key, request) : undefined;
    if (known) return write(known, { "idempotent-replayed": "true" });
    catchUp(false);
    const form = parseForm(body);
    const called = call(form, c.req.param("id") ?? "");
    if (method !== "GET") catchUp(true);
    const result = shown(called);
    done = { status: 200, body: JSON.stringify(expanded(account, result, pathsOf(form))) };
  } catch (error) {
    if (!(error instanceof StripeFailure)) throw error;
    done = describe(error);
  }
  if (key && done.status !== 401) idempotency.keep(key, request, done);
  return failure ? write(failure, headers) : write(done);
}

function authorize(c: Context, secretKey: string): void {
  const version = c.req.header("stripe-version");
  if (c.req.header("authorization") !== `Bearer ${secretKey}`) {
    throw new StripeFailure(401, { type: "invalid_request_error", message: "Invalid API Key provided." });
  }
  if (version !== undefined && version !== API_VERSION) {
    throw new StripeFailure(400, {
      type: "invalid_request_error",
      message: `The stand-in speaks API version ${API_VERSION} only, not ${version}.`,
    });
  }
}

function pathsOf({ expand }: Form): string[] {
  return typeof expand === "object" ? Object.values(expand).map(String) : [];
}

const describe = ({ status, detail }: StripeFailure): Answer => ({
  status,
  body: JSON.stringify({ error: detail }),
});

function write({ status, body }: Answer, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: { "content-type": "application/json", "request-id": newId("req"), ...headers },
  });
}

function eventRoutes({ books }: Account): Route[] {
  const parse = ({ body }: { body: string }) => JSON.parse(body) as { id: string };
  return [
    route("GET", "/events", { ...paging, type: text }, (given) => {
      const all = books.events.filter(({ type }) => !given.type || type === given.type);
      const found = page(all.toReversed(), "/v1/events", given);
      return { ...found, data: found.data.map(parse) };
    }),
    route("GET", "/events/:id", {}, (_given, id) => {
      const recorded = find(Object.fromEntries(books.events.map((one) => [one.id, one])), "event", id);
      return parse(recorded);
    }),
  ];
}
