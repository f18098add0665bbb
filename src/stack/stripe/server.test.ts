import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import Stripe from "stripe";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type StandInServer, startStripeServer } from "./server.ts";

const secretKey = "sk_test_standin";
let folder: string;
let file: string;

/** Where webhooks go: one address takes them, any other one does not. */
const taken: string[] = [];
const receiver = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    const takes = request.url === "/takes";
    if (takes) taken.push(JSON.parse(body).type);
    response.writeHead(takes ? 200 : 500).end();
  });
});

let server: StandInServer;
const start = (address: "/takes" | "/refuses") =>
  startStripeServer({
    port: 0,
    secretKey,
    webhookSecrets: ["whsec_standin"],
    webhookUrl: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${address}`,
    file,
    retryAfterMs: () => 20,
  });
const sdk = () =>
  new Stripe(secretKey, { host: "127.0.0.1", port: new URL(server.url).port, protocol: "http" });

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "nectar-stripe-"));
  file = path.join(folder, "stripe.json");
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  server = await start("/refuses");
});
afterEach(async () => {
  await server.close();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

test("a restart keeps customers, time, and the events that nobody took", async () => {
  server.standIn.webhooks.flow();
  const customer = await sdk().customers.create({ email: "ada@example.com" });
  server.standIn.advance(3600);
  await server.close();

  server = await start("/takes");
  expect((await sdk().customers.retrieve(customer.id)).id).toBe(customer.id);
  expect(server.standIn.ahead).toBe(3600);
  server.standIn.webhooks.flow();
  await expect.poll(() => taken, { timeout: 20_000 }).toEqual(["customer.created"]);
  await expect.poll(() => server.standIn.webhooks.waiting, { timeout: 20_000 }).toHaveLength(0);
});

test("a damaged file is told, not thrown away", async () => {
  writeFileSync(file, "{");
  await expect(start("/takes")).rejects.toThrow(/stripe\.json is damaged/);
});
