// What is acknowledged outlives a kill -9, and of a transaction there is all or nothing.
import path from "node:path";
import process from "node:process";
import { Binary, Long, MongoClient } from "mongodb";
import { afterAll, describe, expect, test, vi } from "vitest";
import { type OwnServer, startOwnServer } from "../../src/stack/mongo/own-server.ts";
import { createScratch } from "../../src/stack/scratch.ts";
import { connect } from "./raw.ts";
import { own } from "./support.ts";

const { folder: directory, onProcess, remove } = createScratch();
const servers: OwnServer[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await remove();
});

async function startServer(folder: string): Promise<OwnServer> {
  const server = await startOwnServer({
    directory: path.join(directory, folder),
    durable: true,
    onProcess,
  });
  servers.push(server);
  return server;
}

async function kill(server: OwnServer): Promise<void> {
  process.kill(server.pid, "SIGKILL");
  await server.exited;
}

const ACCOUNTS = 5;
const AT_FIRST = 100;

// Only Nectar's own server is ours to kill.
describe.runIf(own)("killed", () => {
  test("in the middle of writes, again and again", async () => {
    const inserted: string[] = [];
    const moved: string[] = [];
    for (let round = 0; round < 5; round++) {
      const server = await startServer("writes");
      // A server that was killed is not looked for any longer; one that starts is, for as long as it takes.
      const client = new MongoClient(server.uri, { serverSelectionTimeoutMS: 200, maxPoolSize: 20 });
      await vi.waitFor(() => client.connect(), { timeout: 60_000 });
      const database = client.db("durable");
      const collection = (name: string) => database.collection<{ _id: string; n: number }>(name);
      const [rows, accounts, ledger] = [collection("rows"), collection("accounts"), collection("ledger")];
      if (round === 0) {
        await accounts.insertMany(
          Array.from({ length: ACCOUNTS }, (_, i) => ({ _id: `a${i}`, n: AT_FIRST })),
        );
        await ledger.createIndex({ n: 1 });
      }

      let acknowledged = 0;
      let killed: Promise<void> | undefined;
      const counted = () => {
        acknowledged++;
        if (acknowledged === 150 + round * 37) killed = kill(server);
      };
      const untilKilled = async (work: (i: number) => Promise<void>) => {
        for (let i = 0; ; i++) {
          try {
            await work(i);
            counted();
          } catch (error) {
            if (killed) return;
            throw error;
          }
        }
      };
      const writers = Array.from({ length: 6 }, (_, writer) =>
        untilKilled(async (i) => {
          const _id = `${round}-${writer}-${i}`;
          await rows.insertOne({ _id, n: i }, { writeConcern: { w: "majority" } });
          inserted.push(_id);
        }),
      );
      const movers = Array.from({ length: 3 }, (_, mover) =>
        untilKilled(async (i) => {
          const _id = `${round}-${mover}-${i}`;
          await client.withSession((session) =>
            session.withTransaction(async () => {
              const [from, to] = [`a${(i + mover) % ACCOUNTS}`, `a${(i + mover + 1) % ACCOUNTS}`];
              await accounts.updateOne({ _id: from }, { $inc: { n: -1 } }, { session });
              await ledger.insertOne({ _id, n: i }, { session });
              await accounts.updateOne({ _id: to }, { $inc: { n: 1 } }, { session });
            }),
          );
          moved.push(_id);
        }),
      );
      await Promise.all([...writers, ...movers]);
      await killed;
      await client.close();

      const again = await startServer("writes");
      const reader = new MongoClient(again.uri);
      const after = reader.db("durable");
      const ids = async (name: string) =>
        new Set((await after.collection(name).find().toArray()).map(({ _id }) => String(_id)));
      const rowIds = await ids("rows");
      expect(inserted.filter((id) => !rowIds.has(id))).toEqual([]);
      const ledgerIds = await ids("ledger");
      expect(moved.filter((id) => !ledgerIds.has(id))).toEqual([]);
      // Of each transaction in the ledger both accounts have their half, and of no other.
      const expected = new Map(Array.from({ length: ACCOUNTS }, (_, i) => [`a${i}`, AT_FIRST]));
      for (const id of ledgerIds) {
        const [, mover, i] = id.split("-").map(Number) as [number, number, number];
        const [from, to] = [`a${(i + mover) % ACCOUNTS}`, `a${(i + mover + 1) % ACCOUNTS}`];
        expected.set(from, (expected.get(from) ?? 0) - 1);
        expected.set(to, (expected.get(to) ?? 0) + 1);
      }
      const balances = await after.collection<{ n: number }>("accounts").find().toArray();
      expect(new Map(balances.map(({ _id, n }) => [String(_id), n]))).toEqual(expected);
      // The index tells the same as the documents.
      const all = await after.collection("ledger").countDocuments({ n: { $gte: 0 } }, { hint: { n: 1 } });
      expect(all).toBe(ledgerIds.size);
      await reader.close();
      await again.stop();
    }
    expect(moved.length).toBeGreaterThan(0);
  });

  test("between a write and its answer: sent again, it is done once", async () => {
    const id = new Binary(Buffer.alloc(16, 9), Binary.SUBTYPE_UUID);
    const increment = {
      update: "c",
      updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } }, upsert: true }],
      lsid: { id },
      txnNumber: Long.fromNumber(1),
      $db: "durable",
    };
    const first = await startServer("retries");
    const connection = await connect(first.uri);
    const answer = await connection.command(increment);
    expect(answer).toMatchObject({ ok: 1, n: 1 });
    await kill(first);

    const second = await startServer("retries");
    const again = await connect(second.uri);
    expect(await again.command(increment)).toEqual(answer);
    expect(await again.command({ ...increment, txnNumber: Long.fromNumber(2) })).toMatchObject({
      ok: 1,
      nModified: 1,
    });
    expect(await again.command({ ...increment, txnNumber: Long.fromNumber(1) })).toMatchObject({
      ok: 0,
      code: 225,
    });
    expect(await again.command({ find: "c", $db: "durable" })).toMatchObject({
      cursor: { firstBatch: [{ _id: 1, n: 2 }] },
    });
    await again.end();
  });

  test("a second server on the same data is refused", async () => {
    await startServer("once");
    await expect(startServer("once")).rejects.toThrow(/does not start \(database is locked\)/);
  });
});
