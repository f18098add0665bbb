import type { SupabaseEnv } from "@supabase/server";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Log } from "./log.ts";

/** A project's keys made up for a test, and the tokens its auth server would sign. */
export async function createTestProject(alg: "ES256" | "Ed25519" = "ES256") {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const publishableKey = "sb_publishable_test";
  const secretKey = "sb_secret_test";
  const keys = {
    url: "http://127.0.0.1:1",
    publishableKeys: { default: publishableKey },
    secretKeys: { default: secretKey, rotated: "sb_secret_rotated" },
    jwks: { keys: [{ ...await exportJWK(publicKey), kid: "test", alg, use: "sig" }] },
  } satisfies Partial<SupabaseEnv>;

  const signToken = (claims: Record<string, unknown> = {}, expiresAt: string | number = "1h") =>
    new SignJWT({ role: "authenticated", sub: crypto.randomUUID(), ...claims })
      .setProtectedHeader({ alg, kid: "test" })
      .setIssuedAt()
      .setExpirationTime(expiresAt)
      .sign(privateKey);

  return { keys, publishableKey, secretKey, signToken };
}

/** A log that keeps its lines. */
export function createTestLog(): { log: Log; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  return { log: (line) => void lines.push(line), lines };
}

/** A TCP server on loopback that takes connections and never answers: a dependency that hangs. */
export function listenSilently(): { port: number; close: () => void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) connections.push(connection);
  })();
  return {
    port: listener.addr.port,
    close: () => {
      listener.close();
      accepting.catch(() => {});
      for (const connection of connections) connection.close();
    },
  };
}

/** A PostgreSQL that lets everybody in, and answers what it is asked then with this error, or with nothing at all. */
export function startPostgresThatSays(error?: string) {
  const message = (type: string, body: string) => {
    const bytes = new TextEncoder().encode(`${type}\0\0\0\0${body}`);
    new DataView(bytes.buffer).setUint32(1, bytes.length - 1);
    return bytes;
  };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const converse = async (connection: Deno.Conn) => {
    const buffer = new Uint8Array(4096);
    await connection.read(buffer);
    await connection.write(message("R", "\0\0\0\0"));
    await connection.write(message("Z", "I"));
    await connection.read(buffer);
    if (error === undefined) return;
    await connection.write(message("E", error));
    connection.closeWrite();
  };
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      converse(connection).catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    connections: () => connections.length,
    close: () => {
      listener.close();
      accepting.catch(() => {});
      for (const connection of connections) connection.close();
    },
  };
}

/** A loopback port on which nothing listens, below those that connections leave from: one of these could meet itself. */
export function closedPort(): number {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** A mail as a server took it. */
export interface ReceivedMail {
  sender: string;
  recipients: string[];
  data: string;
}

/** A mail server on loopback that keeps what it is sent, or refuses every recipient. */
export function startSmtpServer({ refuse = false } = {}) {
  const mails: ReceivedMail[] = [];
  const connections = new Set<Deno.Conn>();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.add(connection);
      converse(connection).catch(() => {}).finally(() => connections.delete(connection));
    }
  })();

  async function converse(connection: Deno.Conn) {
    const say = (line: string) => connection.write(new TextEncoder().encode(`${line}\r\n`));
    let mail: ReceivedMail = { sender: "", recipients: [], data: "" };
    let pending = "";
    let inData = false;
    await say("220 test");
    for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
      pending += chunk;
      for (;;) {
        const terminator = inData ? "\r\n.\r\n" : "\r\n";
        const end = pending.indexOf(terminator);
        if (end < 0) break;
        const text = pending.slice(0, end);
        pending = pending.slice(end + terminator.length);
        const address = text.match(/<(.*)>/)?.[1] ?? "";
        if (inData) {
          inData = false;
          mails.push({ ...mail, data: text });
        } else if (/^MAIL FROM:/i.test(text)) {
          mail = { sender: address, recipients: [], data: "" };
        } else if (/^RCPT TO:/i.test(text)) {
          if (refuse) {
            await say("550 no such user");
            continue;
          }
          mail.recipients.push(address);
        } else if (/^DATA/i.test(text)) {
          inData = true;
          await say("354 go ahead");
          continue;
        }
        await say("250 ok");
      }
    }
  }

  return {
    mails,
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting.catch(() => {});
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // closed by its reader already
        }
      }
    },
  };
}
