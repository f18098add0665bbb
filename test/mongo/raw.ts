// A connection without a driver: it sends whatever bytes it is given.
import net from "node:net";
import { BSON, type Document } from "bson";

const OP_MSG = 2013;

/** The bytes of a message of today's kind. */
export function message(command: Document, flags = 0): Buffer {
  const body = BSON.serialize(command);
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(7, 4);
  head.writeInt32LE(OP_MSG, 12);
  head.writeUInt32LE(flags, 16);
  return Buffer.concat([head, body]);
}

export interface RawConnection {
  send(bytes: Uint8Array): void;
  /** The next answer; undefined when the server has closed the connection instead. */
  answer(): Promise<Document | undefined>;
  command(command: Document): Promise<Document | undefined>;
  /** Says that nothing more will come, and waits until the server closes too. */
  end(): Promise<void>;
}

export async function connect(uri: string): Promise<RawConnection> {
  const socket = net.connect(Number(new URL(uri).port), "127.0.0.1");
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  const closed = new Promise<undefined>((resolve) => socket.once("close", () => resolve(undefined)));
  let received = Buffer.alloc(0);
  let wake = () => {};
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  const answer = async (): Promise<Document | undefined> => {
    for (;;) {
      if (received.length >= 4 && received.length >= received.readInt32LE(0)) {
        const reply = received.subarray(0, received.readInt32LE(0));
        received = received.subarray(reply.length);
        return BSON.deserialize(reply.subarray(reply.readInt32LE(12) === OP_MSG ? 21 : 36));
      }
      if (socket.destroyed) return undefined;
      await Promise.race([closed, new Promise<void>((resolve) => (wake = resolve))]);
    }
  };
  const send = (bytes: Uint8Array) => void (socket.destroyed || socket.write(bytes));
  return {
    send,
    answer,
    command(command) {
      send(message(command));
      return answer();
    },
    async end() {
      socket.end();
      socket.resume();
      await closed;
    },
  };
}
