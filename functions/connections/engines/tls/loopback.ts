import { on, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { deno, type DenoTcp, mayListen } from "../../deno-socket.ts";

const patienceMilliseconds = 2000;

// An abort without one makes an exception, with its stack, for nobody to read.
const found = new Error("found");

/**
 * Two ends of a connection within this process, over loopback: TLS wants a real socket where a runtime, or a driver's
 * protocol, has none to give it.
 *
 * @param dial - Connects to the port, and says from which port of its own.
 * @returns undefined where the platform lets nobody listen.
 */
export async function loopbackPair<T>(
  dial: (port: number) => Promise<{ near: T; localPort: number | undefined }>,
): Promise<[near: T, far: Socket] | undefined> {
  if (!mayListen()) return undefined;
  const server = createServer();
  const given = new AbortController();
  const signal = AbortSignal.any([given.signal, AbortSignal.timeout(patienceMilliseconds)]);
  try {
    const accepted = on(server, "connection", { signal });
    server.listen(0, "127.0.0.1");
    await once(server, "listening", { signal });
    const address = server.address();
    if (address === null || typeof address === "string") return undefined;
    const { near, localPort } = await dial(address.port);
    for await (const [far] of accepted as AsyncIterable<[Socket]>) {
      far.on("error", () => {});
      if (far.remotePort === localPort) return [near, far.setNoDelay()];
      // Some other process of this machine was faster.
      far.destroy();
    }
  } catch {
    return undefined;
  } finally {
    given.abort(found);
    server.close();
  }
}

/** As `loopbackPair` wants it, for a Node socket. */
export async function dialByNode(port: number): Promise<{ near: Socket; localPort: number | undefined }> {
  const near = connect(port, "127.0.0.1");
  near.on("error", () => {});
  await once(near, "connect");
  return { near: near.setNoDelay(), localPort: near.localPort };
}

/** The same for one of Deno's own connections. */
export async function dialByDeno(port: number): Promise<{ near: DenoTcp; localPort: number | undefined }> {
  if (!deno) throw new TypeError("This is not Deno.");
  const near = await deno.connect({ hostname: "127.0.0.1", port });
  near.setNoDelay();
  return { near, localPort: near.localAddr.port };
}
