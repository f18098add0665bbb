import type { SupabaseEnv } from "@supabase/server";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Log } from "./log.ts";

/** A project's keys made up for a test, and the tokens its auth server would sign. */
export async function createTestProject() {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const publishableKey = "sb_publishable_test";
  const secretKey = "sb_secret_test";
  const keys = {
    url: "http://127.0.0.1:1",
    publishableKeys: { default: publishableKey },
    secretKeys: { default: secretKey, rotated: "sb_secret_rotated" },
    jwks: { keys: [{ ...await exportJWK(publicKey), kid: "test", alg: "ES256", use: "sig" }] },
  } satisfies Partial<SupabaseEnv>;

  const signToken = (claims: Record<string, unknown> = {}, expiresAt: string | number = "1h") =>
    new SignJWT({ role: "authenticated", sub: crypto.randomUUID(), ...claims })
      .setProtectedHeader({ alg: "ES256", kid: "test" })
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

/** A loopback port on which nothing listens. */
export function closedPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
