import { once } from "node:events";
import net from "node:net";
import { BSON } from "bson";
import { expect, onTestFinished, test } from "vitest";
import { startMongo } from "./mongo.ts";

const [OP_REPLY, OP_QUERY, OP_MSG] = [1, 2004, 2013];

/** A MongoDB that answers whatever it is asked with the same, and its URI. */
async function answering(document: object): Promise<string> {
  const body = BSON.serialize({
    isWritablePrimary: true,
    ismaster: true,
    helloOk: true,
    minWireVersion: 0,
    maxWireVersion: 25,
    ...document,
    ok: 1,
  });
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (request) => {
      const isQuery = request.readInt32LE(12) === OP_QUERY;
      const head = Buffer.alloc(isQuery ? 36 : 21);
      head.writeInt32LE(head.length + body.length, 0);
      head.writeInt32LE(request.readInt32LE(4), 8);
      head.writeInt32LE(isQuery ? OP_REPLY : OP_MSG, 12);
      if (isQuery) head.writeInt32LE(1, 32);
      socket.write(Buffer.concat([head, body]));
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return `mongodb://127.0.0.1:${(server.address() as net.AddressInfo).port}/nectar?directConnection=true`;
}

const start = async (document: object) => {
  const uri = await answering(document);
  return startMongo({ uri, choice: "find", directory: "", durable: true, onProcess: () => {} });
};

test("a MongoDB of one's own without transactions is refused at the start, not at the first write", async () => {
  await expect(start({})).rejects.toThrow(/is no replica set/);
  expect((await start({ setName: "rs0" })).description).toMatch(/^yours/);
  expect((await start({ msg: "isdbgrid" })).description).toMatch(/^yours/);
});
