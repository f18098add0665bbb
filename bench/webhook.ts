import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import postgres from "postgres";
import { startFunctionsHost } from "../src/stack/functions/host.ts";
import { withThrowawayDatabase } from "../src/stack/postgres/throwaway.ts";
import { repository } from "../src/stack/repository.ts";
import { type StandInServer, startStripeServer } from "../src/stack/stripe/server.ts";
import { type SignedRequest, sign } from "../src/stack/stripe/webhooks.ts";
import { startTcpProxy } from "../test/support/tcp-proxy.ts";
import type { Benchmark } from "./bench.ts";
import { sideBySide } from "./side-by-side.ts";

const CUSTOMERS = 40;
/** Each turn sends so many events, so many at a time. */
const EVENTS = 32;
const AT_ONCE = 8;
const ROUNDS = 50;
const COUNTED = 100;

const stripeKey = "sk_test_standin";
const webhookSecret = "whsec_standin";

const benchmark: Benchmark = {
  about:
    "Stripe's events, each applied end to end, against a function on the same host that does nothing; " +
    "and the round trips to the database that an event takes",

  async run(report) {
    await withThrowawayDatabase(async (server, onProcess) => {
      const database = await startTcpProxy({ port: server.port });
      const databaseUrl = new URL(server.url("postgres"));
      databaseUrl.port = String(database.port);
      const stripe = await startStripeServer({
        port: 0,
        secretKey: stripeKey,
        webhookSecrets: [webhookSecret],
        webhookUrl: "http://127.0.0.1:1",
      });
      const host = await startFunctionsHost({
        directory: repository("bench/functions"),
        environment: {
          SUPABASE_DB_URL: databaseUrl.href,
          STRIPE_SECRET_KEY: stripeKey,
          STRIPE_API_URL: stripe.url,
          STRIPE_WEBHOOK_SECRETS: webhookSecret,
        },
        log: () => {},
        onProcesses: (pids) => pids.forEach(onProcess),
      });
      const gateway = createServer(host.handle).listen(0, "127.0.0.1");
      await once(gateway, "listening");
      const { port } = gateway.address() as AddressInfo;

      const send = async (name: string, { body, headers }: SignedRequest) => {
        const response = await fetch(`http://127.0.0.1:${port}/${name}`, { method: "POST", body, headers });
        const text = await response.text();
        if (response.status !== 200) throw new Error(`${name} answered ${response.status}: ${text}`);
      };
      try {
        report.step(`${CUSTOMERS} customers with a subscription`);
        const nextEvent = await prepareEvents(stripe, server.url("postgres"));
        const turn = async (name: string) => {
          const requests = Array.from({ length: EVENTS }, nextEvent);
          const worker = async () => {
            for (let request = requests.pop(); request; request = requests.pop()) await send(name, request);
          };
          await Promise.all(Array.from({ length: AT_ONCE }, worker));
        };
        report.step(`${ROUNDS} × ${EVENTS} events, ${AT_ONCE} at a time`);
        const times = await sideBySide(
          { noop: () => turn("noop"), webhook: () => turn("stripe-webhook") },
          ROUNDS,
        );
        for (const [name, time] of Object.entries(times)) {
          report.row({ function: name, "ms per event": (time / EVENTS).toFixed(3) });
        }
        report.ratio("events_vs_noop", times.noop / times.webhook);

        report.step(`${COUNTED} events, one after the other`);
        const before = database.roundTrips;
        for (let sent = 0; sent < COUNTED; sent++) await send("stripe-webhook", nextEvent());
        report.ratio("round_trips_per_event", (database.roundTrips - before) / COUNTED);
      } finally {
        gateway.close();
        gateway.closeAllConnections();
        await host.close();
        await stripe.close();
        await database.close();
      }
    });
  },
};
export default benchmark;

/** Gives events of which each tells of a change that was really made. */
async function prepareEvents(
  { url, standIn }: StandInServer,
  databaseUrl: string,
): Promise<() => SignedRequest> {
  const call = async (path: string, form: Record<string, string | number>) => {
    const body = new URLSearchParams(Object.entries(form).map(([name, value]) => [name, String(value)]));
    const headers = { authorization: `Bearer ${stripeKey}` };
    const response = await standIn.fetch(new Request(`${url}/v1/${path}`, { method: "POST", headers, body }));
    return (await response.json()) as { id: string; items: { data: { id: string; quantity: number }[] } };
  };
  const { id: product } = await call("products", { name: "Bench" });
  const { id: price } = await call("prices", {
    product,
    currency: "usd",
    unit_amount: 1000,
    "recurring[interval]": "month",
  });
  const sql = postgres(databaseUrl, { max: 1, onnotice() {} });
  for (let n = 0; n < CUSTOMERS; n++) {
    const customer = await call("customers", { payment_method: "pm_card_visa" });
    await call("subscriptions", {
      customer: customer.id,
      "items[0][price]": price,
      default_payment_method: "pm_card_visa",
    });
    const [organization] = await sql<{ id: string }[]>`
      insert into public.organizations (name, slug) values ('Bench', ${`bench-webhook-${n}`}) returning id`;
    await sql`select public.link_stripe_customer(${organization?.id ?? ""}, ${customer.id}, false)`;
  }
  await sql.end();

  const { account } = standIn;
  const subscriptions = Object.values(account.books.subscriptions);
  let turn = 0;
  return () => {
    const subscription = subscriptions[turn++ % subscriptions.length];
    if (!subscription) throw new Error("There is no subscription.");
    const [item] = subscription.items.data;
    if (item) item.quantity = 1 + (turn % 50);
    account.emit("customer.subscription.updated", subscription);
    const event = account.books.events.pop();
    if (!event) throw new Error("The change made no event.");
    return sign(event, [webhookSecret]);
  };
}
