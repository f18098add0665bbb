// MongoDB goes away in the middle of requests: each is answered, by 503 at worst, and goes on when it is back.
import process from "node:process";
import { inspect } from "node:util";
import { afterAll, describe, expect, test, vi } from "vitest";
import { createDocuments } from "../../functions/_documents/documents.ts";
import { createStores } from "../../functions/_documents/stores.ts";
import { AppError } from "../../functions/_shared/errors.ts";
import { createMongo, type Mongo } from "../../functions/_shared/mongo.ts";
import { type OwnServer, startOwnServer } from "../../src/stack/mongo/own-server.ts";
import { createScratch } from "../../src/stack/scratch.ts";
import { own } from "./support.ts";

const { folder: directory, onProcess, remove } = createScratch();
const servers: OwnServer[] = [];
const clients: Mongo[] = [];
afterAll(async () => {
  await Promise.all(clients.map((mongo) => mongo.close()));
  await Promise.all(servers.map((server) => server.stop()));
  await remove();
});

async function start(): Promise<OwnServer> {
  const server = await startOwnServer({ directory, durable: false, onProcess });
  servers.push(server);
  return server;
}

async function* bytes() {
  for (let n = 0; n < 8; n++) yield await Promise.resolve(new Uint8Array(100_000));
}

const content = {
  definition: "{}",
  content_hash: "0".repeat(64),
  trigger: "http" as const,
  connection_ids: [],
};

/** What requests do, over and over: writes, transactions, reads, files, the cache. */
function requestsOf({ workflows, artifacts, cache, activity }: ReturnType<typeof createStores>) {
  const organization = crypto.randomUUID();
  const key = { workflow_id: organization, workflow_version: 1, parameters: {} };
  let made = 0;
  return {
    create: () => {
      const name = `w${++made}`;
      const about = { name, slug: name, description: "", tags: [] };
      return workflows.create(organization, about, content, { limit: 100_000 });
    },
    list: () => workflows.list(organization, { limit: 10, search: "w" }),
    upload: async () => {
      const file = { name: "f", kind: "other" as const, content_type: "a/b" };
      const { _id } = await artifacts.upload(organization, file, bytes(), { limit: null, most: 1e9 });
      await artifacts.remove(organization, _id);
    },
    cached: () => cache.get(organization, key),
    activity: () => activity.list(organization, { limit: 10 }),
  };
}

/** Runs all of them until told to stop, and gives what came of it: how many went well, and each error. */
function keepAsking(requests: ReturnType<typeof requestsOf>) {
  const errors: unknown[] = [];
  let done = 0;
  let stopped = false;
  const loops = Object.values(requests).map(async (request) => {
    while (!stopped) {
      await request().then(
        () => done++,
        (error: unknown) => errors.push(error),
      );
    }
  });
  return {
    errors,
    done: () => done,
    stop: async () => {
      stopped = true;
      await Promise.all(loops);
    },
  };
}

// Only Nectar's own server is ours to kill.
describe.runIf(own)("MongoDB is away", () => {
  test.each(["SIGKILL", "SIGTERM", "SIGSTOP"] as const)("%s in the middle of requests", async (signal) => {
    const server = await start();
    const mongo = createMongo({ uri: () => server.uri, selectionTimeoutMs: 300 });
    clients.push(mongo);
    const stores = createStores(createDocuments({ mongo }));
    const asked = keepAsking(requestsOf(stores));
    await vi.waitFor(() => expect(asked.done()).toBeGreaterThan(30), { timeout: 60_000 });

    process.kill(server.pid, signal);
    await vi.waitFor(() => expect(asked.errors.length).toBeGreaterThan(10), { timeout: 60_000 });
    // An answer is made without the cache.
    const answer = { status: 200, content_type: "text/plain", body: "made" };
    const key = { workflow_id: crypto.randomUUID(), workflow_version: 1, parameters: {} };
    const settings = { ttl_seconds: 60, limit: null };
    const through = stores.cache.through(crypto.randomUUID(), key, settings, async () => answer);
    expect(await through).toEqual({ answer, state: "miss" });
    if (signal === "SIGSTOP") {
      const before = asked.done();
      process.kill(server.pid, "SIGCONT");
      await vi.waitFor(() => expect(asked.done()).toBeGreaterThan(before + 10), { timeout: 60_000 });
    }
    await asked.stop();

    const others = asked.errors.filter((error) => !(error instanceof AppError) || error.status !== 503);
    expect(others.map((error) => inspect(error, { depth: 1 }))).toEqual([]);
  });
});
