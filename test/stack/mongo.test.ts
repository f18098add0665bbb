import path from "node:path";
import process from "node:process";
import { MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { copyOfRepository, leavesNothing, type Started, start, temporaryFolder } from "./support.ts";

const root = copyOfRepository();
const idOf = (line: string | undefined) => Number(/\d+/.exec(line ?? "")?.[0]);

/** The address that functions are given. */
async function uriOf(started: Started): Promise<string> {
  const [, uri] = /MONGODB_URI=(mongodb:\S+)/.exec((await started.processes()).join("\n")) ?? [];
  return uri as string;
}

async function inMongo<T>(uri: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 3_000 });
  return work(client).finally(() => client.close());
}

const serverOf = async (started: Started) =>
  idOf((await started.processes()).find((line) => line.includes("mongo/serve.ts")));

test("Nectar's MongoDB server keeps its data through a kill, is told of when it dies, and --reset empties it", async () => {
  const data = path.join(temporaryFolder(), "data");
  const killed = await start({ root, data });
  const { secretKey } = await killed.ready();
  expect(killed.output()).toMatch(/✓ MongoDB .* Nectar's own server/);
  const health = await fetch(`${killed.url}/functions/v1/health`, { headers: { apikey: secretKey } });
  expect(await health.json()).toMatchObject({
    dependencies: expect.arrayContaining([expect.objectContaining({ name: "mongodb", status: "ok" })]),
  });
  await inMongo(await uriOf(killed), (client) => client.db("nectar").collection("kept").insertOne({ a: 1 }));
  const orphan = await serverOf(killed);
  process.kill(idOf((await killed.processes()).find((line) => line.includes("watchdog.ts"))), "SIGKILL");
  killed.kill("SIGKILL");
  await killed.exited;

  const dying = await start({ root, data });
  await dying.ready();
  const server = await serverOf(dying);
  expect(server).not.toBe(orphan);
  const kept = (client: MongoClient) => client.db("nectar").collection("kept").countDocuments();
  expect(await inMongo(await uriOf(dying), kept)).toBe(1);
  process.kill(server, "SIGKILL");
  expect(await dying.exited).toBe(1);
  expect(dying.output()).toMatch(/✗ Nectar's MongoDB server has ended by itself/);
  expect(await leavesNothing(dying)).toEqual([]);

  const anew = await start({ root, data, args: ["--reset"] });
  await anew.ready();
  expect(await inMongo(await uriOf(anew), kept)).toBe(0);
});
