import { on, once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

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
  const server = createServer();
  const given = new AbortController();
  try {
    const accepted = on(server, "connection", { signal: given.signal });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
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
    given.abort();
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
