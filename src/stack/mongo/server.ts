import net from "node:net";
import { deadlineOf, dispatch, errorReply } from "./commands/dispatch.ts";
import { MAX_MESSAGE, REPLICA_SET } from "./commands/server.ts";
import { type Engine, openEngine } from "./engine.ts";
import { failure } from "./errors.ts";
import { Blocked } from "./storage/transactions.ts";
import { startHousekeeping } from "./ttl.ts";
import type { Document } from "./values.ts";
import { createFrames } from "./wire/frames.ts";
import { type Request, readMessage, writeReply } from "./wire/message.ts";

export interface ServerOptions {
  /** Where the data goes; undefined: in memory. */
  directory: string | undefined;
  /** 0: any free one. */
  port?: number;
  /** `false`: what is acknowledged outlives the process, but not a power cut. Default true. */
  durable?: boolean;
  /** Between two looks for expired documents. Default 1,000 ms. */
  housekeepingMs?: number;
}

export interface Server {
  /** For MongoDB's drivers; names the database `nectar`. */
  uri: string;
  port: number;
  close(): Promise<void>;
}

/**
 * Starts a server that speaks MongoDB's wire protocol, on the loopback interface and without users: for development and
 * tests. What it does not do it refuses.
 */
export async function startServer({
  directory,
  port = 0,
  durable = true,
  housekeepingMs = 1_000,
}: ServerOptions): Promise<Server> {
  const engine = openEngine({ directory, durable });
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(engine, socket);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
  } catch (error) {
    engine.close();
    throw error;
  }
  const own = (server.address() as net.AddressInfo).port;
  engine.address = `127.0.0.1:${own}`;
  const endHousekeeping = startHousekeeping(engine, housekeepingMs);
  return {
    uri: `mongodb://${engine.address}/nectar?replicaSet=${REPLICA_SET}`,
    port: own,
    async close() {
      endHousekeeping();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      engine.close();
    },
  };
}

/** Answers one connection's requests in their order. */
function serve(engine: Engine, socket: net.Socket): void {
  const frames = createFrames(MAX_MESSAGE + 16 * 1024);
  const waiting: Request[] = [];
  let busy = false;
  socket.setNoDelay(true);
  socket.on("error", () => {}); // it closes after it
  socket.on("data", (chunk) => {
    try {
      for (const message of frames(chunk)) waiting.push(readMessage(message));
    } catch {
      socket.destroy(); // no messages: it is not talked to any further
      return;
    }
    if (!busy) void work();
  });

  async function work(): Promise<void> {
    busy = true;
    for (let request = waiting.shift(); request && !socket.destroyed; request = waiting.shift()) {
      const reply = await answer(request);
      if (request.silent) continue;
      const bytes = written(request, reply);
      await new Promise<void>((resolve) =>
        engine.database.whenSafe(() => {
          if (!socket.destroyed) socket.write(bytes);
          resolve();
        }),
      );
    }
    busy = false;
  }

  async function answer({ command, problem }: Request): Promise<Document | Uint8Array> {
    if (!command) return errorReply(problem);
    const deadline = deadlineOf(command);
    for (;;) {
      try {
        return dispatch(engine, command, deadline);
      } catch (error) {
        if (!(error instanceof Blocked)) return errorReply(error);
        if (await isLate(error.until, deadline))
          return errorReply(failure(50, "operation exceeded time limit"));
        if (socket.destroyed) return {};
      }
    }
  }
}

async function isLate(until: Promise<void>, deadline: number | undefined): Promise<boolean> {
  if (deadline === undefined) return until.then(() => false);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - performance.now()), true);
  });
  return Promise.race([until.then(() => false), late]).finally(() => clearTimeout(timer));
}

/** A reply that cannot be written is an error as well. */
function written(request: Request, reply: Document | Uint8Array): Buffer {
  try {
    return writeReply(request, reply);
  } catch (error) {
    return writeReply(request, errorReply(error));
  }
}
