import { Duplex } from "node:stream";

/** The parts of Deno that TLS needs; its types are not there in Node. */
interface NativeConnection {
  read: (into: Uint8Array) => Promise<number | null>;
  write: (bytes: Uint8Array) => Promise<number>;
  close: () => void;
}
interface NativeTcp extends NativeConnection {
  localAddr: { port?: number };
  setNoDelay: () => void;
}
interface NativeTls extends NativeConnection {
  handshake: () => Promise<unknown>;
}
interface Native {
  connect: (to: { hostname: string; port: number }) => Promise<NativeTcp>;
  startTls: (
    connection: NativeTcp,
    options: { hostname: string; caCerts: string[]; alpnProtocols?: string[] },
  ) => Promise<NativeTls>;
}

/** Deno's own API; undefined in Node. */
export const native = (globalThis as unknown as { Deno?: Native }).Deno;

export async function dialByDeno(
  port: number,
): Promise<{ near: NativeTcp; localPort: number | undefined }> {
  if (!native) throw new TypeError("This is not Deno.");
  const near = await native.connect({ hostname: "127.0.0.1", port });
  near.setNoDelay();
  return { near, localPort: near.localAddr.port };
}

/** TLS over a connection by Deno itself. The certificate is always checked in full. Rejects with rustls's words. */
export async function startNativeTls(
  connection: NativeTcp,
  { host, ca, alpn }: { host: string; ca: string | undefined; alpn: string | undefined },
): Promise<Duplex> {
  if (!native) throw new TypeError("This is not Deno.");
  const secured = await native.startTls(connection, {
    hostname: host,
    caCerts: ca === undefined ? [] : [ca],
    ...(alpn !== undefined && { alpnProtocols: [alpn] }),
  });
  try {
    await secured.handshake();
  } catch (error) {
    secured.close();
    throw error;
  }
  return toDuplex(secured);
}

const mostAtOnce = 16 * 1024;

function toDuplex(connection: NativeConnection): Duplex {
  let open = true;
  const stream = new Duplex({
    read() {
      const into = new Uint8Array(mostAtOnce);
      connection.read(into).then(
        (count) => void stream.push(count === null ? null : into.subarray(0, count)),
        (error) => {
          // Many servers leave out TLS's own goodbye.
          if (!open || error.name === "UnexpectedEof") stream.push(null);
          else stream.destroy(error);
        },
      );
    },
    write(chunk: Uint8Array, _, done) {
      writeAll(connection, chunk).then(() => done(), done);
    },
    destroy(error, done) {
      if (open) connection.close();
      open = false;
      done(error);
    },
  });
  // Whoever uses it listens too.
  stream.on("error", () => {});
  return stream;
}

async function writeAll(connection: NativeConnection, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
