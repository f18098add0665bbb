import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** The parts of Deno that TLS needs; its types are not there in Node. */
interface DenoConnection {
  read: (into: Uint8Array) => Promise<number | null>;
  write: (bytes: Uint8Array) => Promise<number>;
  close: () => void;
}
export interface DenoTcp extends DenoConnection {
  localAddr: { port?: number };
  setNoDelay: () => void;
}
interface DenoTls extends DenoConnection {
  handshake: () => Promise<unknown>;
}
interface DenoApi {
  connect: (to: { hostname: string; port: number }) => Promise<DenoTcp>;
  listen: (at: { hostname: string; port: number }) => { addr: { hostname?: string }; close: () => void };
  startTls: (
    connection: DenoTcp,
    options: { hostname: string; caCerts: string[]; alpnProtocols?: string[] },
  ) => Promise<DenoTls>;
}

/** Deno's own API; undefined in Node. */
export const deno = (globalThis as unknown as { Deno?: DenoApi }).Deno;

let permitted: boolean | undefined;

/**
 * Whether this platform lets us listen on loopback; asked once. Hosted platforms pretend to, and whoever accepts there
 * takes the function's own requests: what gives itself away by another address is closed before anything is accepted.
 */
export const mayListen = (): boolean => permitted ??= tryToListen();

function tryToListen(): boolean {
  if (!deno) return true;
  try {
    const listener = deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    return listener.addr.hostname === "127.0.0.1";
  } catch {
    return false;
  }
}

const mostAtOnce = 16 * 1024;
const takers = new WeakMap<Duplex, () => DenoTcp | undefined>();

/** Connects by Deno itself, so that Deno's own TLS can take the connection over. */
export function connectByDeno(hostname: string, port: number): Socket {
  const { stream, begin } = streamOverConnection();
  const opening = deno
    ? deno.connect({ hostname, port })
    : Promise.reject(new TypeError("This is not Deno."));
  opening.then((connection) => {
    connection.setNoDelay();
    begin(connection);
    if (!stream.destroyed) stream.emit("connect");
  }).catch((error) => stream.destroy(error));
  return stream as unknown as Socket;
}

/**
 * The connection under a stream of `connectByDeno`, for TLS: the stream carries nothing from now on.
 *
 * @returns undefined for other streams, and while it waits for more of the server: stop reading in the event that brought
 * the last bytes.
 */
export const takeConnection = (stream: Duplex): DenoTcp | undefined => takers.get(stream)?.();

/**
 * TLS over a connection by Deno itself. The certificate is always checked in full. Rejects with rustls's words. A server
 * that never answers the handshake keeps its socket: Deno lets go of it no sooner.
 */
export async function startDenoTls(
  connection: DenoTcp,
  { host, ca, alpn }: { host: string; ca: string | undefined; alpn: string | undefined },
  signal: AbortSignal,
): Promise<Duplex> {
  if (!deno) throw new TypeError("This is not Deno.");
  const secured = await deno.startTls(connection, {
    hostname: host,
    caCerts: ca === undefined ? [] : [ca],
    ...(alpn !== undefined && { alpnProtocols: [alpn] }),
  });
  const { stream, begin } = streamOverConnection();
  begin(secured);
  const abort = () => stream.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    await secured.handshake();
    return stream;
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function streamOverConnection(): { stream: Duplex; begin: (connection: DenoConnection) => void } {
  let connection: DenoConnection | undefined;
  let wanted = false;
  let reading = false;
  const stream = new Duplex({
    // Reads only when somebody waits: Deno lets nobody take a connection that is being read from.
    readableHighWaterMark: 0,
    allowHalfOpen: false,
    read: pull,
    write(chunk: Uint8Array, _, done) {
      if (connection) writeAll(connection, chunk).then(() => done(), done);
      else done(new Error("There is no connection."));
    },
    destroy(error, done) {
      close(connection);
      connection = undefined;
      done(error);
    },
  });

  function pull() {
    wanted = true;
    if (!connection || reading) return;
    wanted = false;
    reading = true;
    const into = new Uint8Array(mostAtOnce);
    connection.read(into).then((count) => {
      reading = false;
      stream.push(count === null ? null : into.subarray(0, count));
    }, (error) => {
      reading = false;
      // Many servers leave out TLS's own goodbye.
      if (!connection || error.name === "UnexpectedEof") stream.push(null);
      else stream.destroy(error);
    });
  }

  takers.set(stream, () => {
    const taken = reading ? undefined : connection as DenoTcp | undefined;
    if (taken) connection = undefined;
    return taken;
  });
  // Whoever uses it listens too.
  stream.on("error", () => {});
  const begin = (opened: DenoConnection) => {
    if (stream.destroyed) return close(opened);
    connection = opened;
    if (wanted) pull();
  };
  return { stream, begin };
}

function close(connection: DenoConnection | undefined): void {
  try {
    connection?.close();
  } catch {
    // The other side, or a TLS that failed, has closed it.
  }
}

async function writeAll(connection: DenoConnection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
