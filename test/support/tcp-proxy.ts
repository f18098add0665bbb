import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type Direction = "request" | "response";

export interface TcpProxyOptions {
  /** Where to. */
  port: number;
  /** Is awaited before a chunk is passed on; `false` keeps it back, and the connection ends. */
  onChunk?: (direction: Direction, connection: ProxiedConnection) => Promise<boolean> | boolean;
}

export interface ProxiedConnection {
  /** The port that the server sees it come from. */
  readonly upstreamPort: number | undefined;
}

export interface TcpProxy {
  port: number;
  /** How often a connection has turned from asking to being answered: its round trips. */
  readonly roundTrips: number;
  close(): Promise<void>;
}

/** Passes TCP connections on, chunk by chunk and in their order, and counts their round trips. */
export async function startTcpProxy({ port, onChunk = () => true }: TcpProxyOptions): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let roundTrips = 0;
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    const connection: ProxiedConnection = {
      get upstreamPort() {
        return upstream.localPort;
      },
    };
    let asking = false;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    const pass = (from: Socket, to: Socket, direction: Direction) => {
      let order = Promise.resolve();
      from.setNoDelay(true);
      from.on("data", (chunk) => {
        if (direction === "request") asking = true;
        else if (asking) {
          asking = false;
          roundTrips += 1;
        }
        order = order.then(async () => {
          if (await onChunk(direction, connection)) to.write(chunk);
          else end();
        });
      });
      from.on("end", () => void order.then(() => to.end()));
      from.on("error", end);
      from.on("close", () => void order.then(end));
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    }
    pass(client, upstream, "request");
    pass(upstream, client, "response");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get roundTrips() {
      return roundTrips;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
