import assert from "node:assert/strict";
import Stripe from "stripe";
import { createTestLog } from "../_shared/testing.ts";
import { reconcileStripe } from "./reconcile-stripe.ts";

type Answer = { data: unknown; error: null } | { data: null; error: { code: string; message: string } };
type Args = Record<string, unknown>;

const subscription = (id: string) => ({
  id,
  object: "subscription",
  customer: "cus_1",
  livemode: false,
  status: "active",
  currency: "eur",
  created: 1,
  items: { has_more: false, data: [] },
});
const invoice = (id: string) => ({
  id,
  object: "invoice",
  customer: "cus_1",
  lines: { data: [] },
  status_transitions: {},
});
const missing = {
  error: { type: "invalid_request_error", code: "resource_missing", message: "No such thing" },
};

/** The job before a database and a Stripe that answer as told: `pages` are what is left to compare. */
function createTestJob(
  { pages, stripe, apply = () => ({ data: { changed: true }, error: null }), open = [] }: {
    pages: { list: string; after: string | null }[];
    stripe: (url: URL) => { status?: number; body: unknown };
    apply?: (object: { id: string }) => Answer;
    open?: { id: string; customer_id: string; livemode: boolean }[];
  },
) {
  const applied: Args[] = [];
  const finished: Args[] = [];
  const { log, lines } = createTestLog();
  const rpc = (name: string, args: Args): Promise<Answer & { status: number }> => {
    const answers: Record<string, () => Answer> = {
      stripe_ticket: () => ({ data: [{ ticket: 7 }], error: null }),
      next_stripe_page: () => ({ data: pages.splice(0, 1), error: null }),
      finish_stripe_page: () => ({ data: finished.push(args), error: null }),
      open_stripe_invoices: () => ({ data: open, error: null }),
      apply_stripe_object: () => {
        const object = args["p_object"] as { id: string };
        const answer = apply(object);
        if (!answer.error) applied.push(object);
        return answer;
      },
    };
    const answer = answers[name]?.();
    assert.ok(answer, name);
    return Promise.resolve({ ...answer, status: answer.error ? Number(answer.error.code) || 500 : 200 });
  };
  const client = new Stripe("sk_test_1", {
    maxNetworkRetries: 0,
    httpClient: Stripe.createFetchHttpClient((input, init) => {
      const { status = 200, body } = stripe(new URL(new Request(input, init).url));
      return Promise.resolve(new Response(JSON.stringify(body), { status }));
    }),
  });
  const account = { livemode: false, configured: true, client: () => Promise.resolve(client) };
  const job = reconcileStripe(account, log, () => 0);
  return { run: () => job.run({ rpc } as never, () => false), applied, finished, lines };
}

Deno.test("what cannot be stored is told, and does not stand in the way of the rest", async () => {
  const { run, applied, finished, lines } = createTestJob({
    pages: [{ list: "subscriptions", after: null }],
    stripe: () => ({ body: { data: ["sub_1", "sub_2", "sub_3"].map(subscription), has_more: true } }),
    apply: ({ id }) =>
      id === "sub_2"
        ? { data: null, error: { code: "23514", message: "canary" } }
        : { data: { changed: id === "sub_3" }, error: null },
  });
  await assert.rejects(run(), /1 objects/);
  assert.deepEqual(applied.map(({ id }) => id), ["sub_1", "sub_3"]);
  assert.deepEqual(finished, [{ p_list: "subscriptions", p_checked: 3, p_changed: 1, p_after: "sub_3" }]);
  assert.deepEqual(lines.map(({ event, object_id }) => [event, object_id]), [
    ["stripe_not_repaired", "sub_2"],
    ["stripe_repaired", "sub_3"],
  ]);
});

Deno.test("a database that is away leaves the page to the next call", async () => {
  const { run, finished } = createTestJob({
    pages: [{ list: "subscriptions", after: null }],
    stripe: () => ({ body: { data: [subscription("sub_1")], has_more: false } }),
    apply: () => ({ data: null, error: { code: "503", message: "away" } }),
  });
  await assert.rejects(run(), { code: "database_unavailable" });
  assert.deepEqual(finished, []);
});

Deno.test("where the object is gone that a page begins after, the walk begins anew", async () => {
  const { run, finished, applied } = createTestJob({
    pages: [{ list: "invoices", after: "in_deleted" }],
    stripe: ({ searchParams }) =>
      searchParams.get("starting_after")
        ? { status: 400, body: missing }
        : { body: { data: [invoice("in_1")], has_more: false } },
  });
  assert.deepEqual(await run(), { status: "done", count: 1 });
  assert.equal(applied.length, 1);
  assert.deepEqual(finished, [{ p_list: "invoices", p_checked: 1, p_changed: 1 }]);
});

Deno.test("open invoices are asked for one by one: of one that is deleted, that it is", async () => {
  const { run, applied } = createTestJob({
    pages: [{ list: "open_invoices", after: null }],
    open: [
      { id: "in_draft", customer_id: "cus_1", livemode: false },
      { id: "in_old", customer_id: "cus_2", livemode: false },
      { id: "in_live", customer_id: "cus_3", livemode: true },
    ],
    stripe: ({ pathname }) =>
      pathname.endsWith("in_old") ? { body: invoice("in_old") } : { status: 404, body: missing },
  });
  assert.deepEqual(await run(), { status: "done", count: 2 });
  assert.deepEqual(applied.map(({ id, deleted }) => [id, deleted]), [["in_draft", true], [
    "in_old",
    undefined,
  ]]);
});
