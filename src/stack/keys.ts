import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import { StackFailure } from "./failure.ts";

/** What a hosted project has in its API settings, made once for the local one. */
export interface ProjectKeys {
  /** `sb_publishable_…`: for browsers; a request with it alone is `anon`. */
  publishableKey: string;
  /** `sb_secret_…`: for servers; a request with it is `service_role`. */
  secretKey: string;
  /** Private ES256 key, with `kid`, that signs access tokens. Its public half is the JWKS. */
  signingKey: JWK;
  /** HS256 secret between the gateway and its embedded auth server: never leaves the process. */
  internalSecret: string;
}

/**
 * Reads the keys from `file`, or makes them there (mode 0600).
 *
 * @throws {StackFailure} when the file is damaged: new keys would lock out every client without a word.
 */
export async function loadKeys(file: string): Promise<ProjectKeys> {
  const stored = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (stored !== undefined) return parseKeys(stored, file);
  const keys = await createKeys();
  await mkdir(path.dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}`;
  await writeFile(partial, JSON.stringify(keys, null, 2), { mode: 0o600 });
  await chmod(partial, 0o600);
  await rename(partial, file);
  return keys;
}

function parseKeys(stored: string, file: string): ProjectKeys {
  try {
    const keys = JSON.parse(stored) as ProjectKeys;
    const complete =
      keys.publishableKey.startsWith("sb_publishable_") &&
      keys.secretKey.startsWith("sb_secret_") &&
      typeof keys.internalSecret === "string" &&
      keys.signingKey.d &&
      keys.signingKey.kid;
    if (complete) return keys;
  } catch {}
  throw new StackFailure(
    `The keys in ${file} are damaged.\nMend the file, or remove it: the next start makes new keys, and clients need those then.`,
  );
}

export async function createKeys(): Promise<ProjectKeys> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  const random = () => randomBytes(24).toString("base64url");
  return {
    publishableKey: `sb_publishable_${random()}`,
    secretKey: `sb_secret_${random()}`,
    signingKey: { ...jwk, kid, alg: "ES256", use: "sig", key_ops: ["sign"] },
    internalSecret: randomBytes(48).toString("base64url"),
  };
}

/** The public half of the signing key, as served at `/auth/v1/.well-known/jwks.json`. */
export function publicJwks({ signingKey }: ProjectKeys): { keys: JWK[] } {
  const { d: _private, ...publicKey } = signingKey;
  return { keys: [{ ...publicKey, key_ops: ["verify"] }] };
}
