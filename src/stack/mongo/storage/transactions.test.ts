import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Binary, Long } from "bson";
import { afterAll, expect, test } from "vitest";
import { dispatch } from "../commands/dispatch.ts";
import { type Engine, openEngine } from "../engine.ts";
import { type Document, decode, encode } from "../values.ts";

const directory = mkdtempSync(path.join(tmpdir(), "nectar-mongo-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(engine: Engine, command: Document): Document {
  const reply = dispatch(engine, decode(encode({ ...command, $db: "test" })), undefined);
  return reply instanceof Uint8Array ? decode(reply) : reply;
}

const session = (id: number) => ({ lsid: { id: new Binary(Buffer.alloc(16, id), 4) } });
const part = (id: number, number: number, start = false) => ({
  ...session(id),
  txnNumber: Long.fromNumber(number),
  autocommit: false,
  ...(start ? { startTransaction: true } : {}),
});

test("that an index has an array is known after a restart, when a transaction has brought it", () => {
  const folder = path.join(directory, "multikey");
  let engine = openEngine({ directory: folder, durable: false });
  run(engine, { createIndexes: "c", indexes: [{ key: { a: 1 }, name: "a" }] });
  run(engine, { insert: "c", documents: [{ _id: 1, a: 3 }] });
  run(engine, { insert: "c", documents: [{ _id: 2, a: [0, 9] }], ...part(1, 1, true) });
  run(engine, { find: "c" }); // somebody else looks, and the view is taken back
  run(engine, { commitTransaction: 1, ...part(1, 1), $db: "admin" });
  engine.close();

  engine = openEngine({ directory: folder, durable: false });
  const between = { find: "c", filter: { a: { $gt: 2, $lt: 5 } }, sort: { _id: 1 } };
  const found = run(engine, between)["cursor"].firstBatch.map(({ _id }: Document) => Number(_id));
  expect(found).toEqual([1, 2]);
  engine.close();
});

test("a transaction that nobody ends is ended, and those who wait for it go on", async () => {
  const engine = openEngine({ directory: undefined, durable: false });
  run(engine, { insert: "c", documents: [{ _id: 1, n: 0 }] });
  const increment = { update: "c", updates: [{ q: { _id: 1 }, u: { $inc: { n: 1 } } }] };
  expect(run(engine, { ...increment, ...part(1, 1, true) })).toMatchObject({ ok: 1 });
  expect(() => run(engine, increment)).toThrow("waits for a transaction");
  engine.sessions.expire(Date.now() + 61_000);
  expect(run(engine, increment)).toMatchObject({ ok: 1 });
  expect(run(engine, { ...increment, ...part(1, 1) })).toMatchObject({ ok: 0, code: 251 });
  expect(run(engine, { find: "c" })["cursor"].firstBatch[0]).toMatchObject({ n: { value: 1 } });
  engine.close();
});

test("a transaction does not see a collection that has changed since", () => {
  const engine = openEngine({ directory: undefined, durable: false });
  run(engine, { insert: "c", documents: [{ _id: 1 }] });
  run(engine, { find: "other", ...part(1, 1, true) });
  run(engine, { createIndexes: "c", indexes: [{ key: { a: 1 }, name: "a" }] });
  expect(run(engine, { find: "c", ...part(1, 1) })).toMatchObject({
    ok: 0,
    code: 246,
    errorLabels: ["TransientTransactionError"],
  });
  engine.close();
});

test("a collection that is dropped takes the transactions with it that have written there", () => {
  const engine = openEngine({ directory: undefined, durable: false });
  run(engine, { insert: "c", documents: [{ _id: 1 }] });
  run(engine, { insert: "c", documents: [{ _id: 2 }], ...part(1, 1, true) });
  run(engine, { drop: "c" });
  expect(run(engine, { commitTransaction: 1, ...part(1, 1) })).toMatchObject({ ok: 0, code: 246 });
  expect(run(engine, { find: "c" })["cursor"].firstBatch).toEqual([]);
  engine.close();
});

test("a failed command leaves nothing, not even a new collection", () => {
  const engine = openEngine({ directory: undefined, durable: false });
  const before = run(engine, { listCollections: 1 })["cursor"].firstBatch;
  expect(
    run(engine, {
      createIndexes: "c",
      indexes: [
        { key: { a: 1 }, name: "a" },
        { key: { a: 1 }, name: "b" },
      ],
    }),
  ).toMatchObject({
    ok: 0,
    code: 85,
  });
  expect(run(engine, { listCollections: 1 })["cursor"].firstBatch).toEqual(before);
  expect(run(engine, { insert: "c", documents: [{ _id: 1 }] })).toMatchObject({ ok: 1 });
  engine.close();
});
