import { AppError } from "./errors.ts";

/** The master keys by id; the first wraps, all unwrap. */
export type MasterKeys = ReadonlyMap<string, CryptoKey>;

/** Bytes that AES-256-GCM has sealed, in base64. */
export interface Sealed {
  ciphertext: string;
  nonce: string;
}

/** An organization's own key, sealed by a master key. */
export interface WrappedKey extends Sealed {
  organizationId: string;
  id: string;
  masterKeyId: string;
  /** Counts the wrappings. */
  version: number;
}

/** Whose secret it is. What was sealed for one does not open for another, nor in another version. */
export interface Binding {
  organizationId: string;
  connectionId: string;
  version: number;
}

/**
 * Envelope encryption: a master key of the environment wraps one key for each organization, and that seals its secrets.
 * Every call throws an AppError: `master_key_missing` where the key that is needed is not among the master keys,
 * `secret_unreadable` where what is read is not what was written.
 */
export interface SecretBox {
  newDataKey(organizationId: string): Promise<WrappedKey>;
  /** The same key under the current master key. Its version grows by one. */
  rewrap(key: WrappedKey): Promise<WrappedKey>;
  /** The master key that wraps. */
  currentMasterKeyId(): Promise<string>;
  seal(key: WrappedKey, binding: Binding, secret: string): Promise<Sealed>;
  open(key: WrappedKey, binding: Binding, sealed: Sealed): Promise<string>;
}

// Written so that it means the same to the TypeScript of either Deno.
const noBytes = () => new Uint8Array(0);
type Bytes = ReturnType<typeof noBytes>;

const KEY_BYTES = 32;
const NONCE_BYTES = 12;

/**
 * Reads `id:base64,id:base64`: 32 bytes each, the current one first.
 *
 * @throws {Error} that quotes no key.
 */
export async function parseMasterKeys(text: string): Promise<MasterKeys> {
  const keys = new Map<string, CryptoKey>();
  for (const entry of text.split(",")) {
    const [, id, encoded] = entry.trim().match(/^([\w.-]{1,64}):([A-Za-z0-9+/]{43}=)$/) ?? [];
    if (!id || !encoded) throw new Error("a master key is id:base64, of 32 bytes");
    if (keys.has(id)) throw new Error(`two master keys have the id ${id}`);
    keys.set(id, await importKey(bytes(encoded)));
  }
  return keys;
}

/** @param masterKeys - Read when first needed; undefined where there are none. */
export function createSecretBox(
  masterKeys: () => string | undefined,
  randomBytes: (count: number) => Bytes = (count) => crypto.getRandomValues(new Uint8Array(count)),
): SecretBox {
  let parsed: Promise<MasterKeys> | undefined;

  async function load(): Promise<MasterKeys> {
    try {
      const text = masterKeys();
      if (!text) throw new Error("CONNECTIONS_MASTER_KEYS is missing.");
      return await parseMasterKeys(text);
    } catch (cause) {
      throw new AppError("master_key_missing", { cause });
    }
  }
  const keys = () => parsed ??= load();

  async function current(): Promise<[string, CryptoKey]> {
    const [first] = await keys();
    // An empty list does not parse.
    return first as [string, CryptoKey];
  }

  async function wrap(organizationId: string, id: string, version: number, key: Bytes) {
    const [masterKeyId, masterKey] = await current();
    const sealed = await encrypt(masterKey, key, keyContext(organizationId, id, masterKeyId, version));
    return { organizationId, id, masterKeyId, version, ...sealed };
  }

  async function unwrap(key: WrappedKey): Promise<Bytes> {
    const masterKey = (await keys()).get(key.masterKeyId);
    if (!masterKey) {
      throw new AppError("master_key_missing", { cause: new Error(`No master key ${key.masterKeyId}.`) });
    }
    return await decrypt(
      masterKey,
      key,
      keyContext(key.organizationId, key.id, key.masterKeyId, key.version),
    );
  }

  async function encrypt(key: CryptoKey, plain: Bytes, context: Bytes) {
    const nonce = randomBytes(NONCE_BYTES);
    const algorithm = { name: "AES-GCM", iv: nonce, additionalData: context };
    return { ciphertext: base64(await crypto.subtle.encrypt(algorithm, key, plain)), nonce: base64(nonce) };
  }

  return {
    newDataKey: (organizationId) => wrap(organizationId, crypto.randomUUID(), 1, randomBytes(KEY_BYTES)),
    async rewrap(key) {
      return await wrap(key.organizationId, key.id, key.version + 1, await unwrap(key));
    },
    async currentMasterKeyId() {
      return (await current())[0];
    },
    async seal(key, binding, secret) {
      const dataKey = await importKey(await unwrap(key));
      return await encrypt(dataKey, new TextEncoder().encode(secret), secretContext(binding));
    },
    async open(key, binding, sealed) {
      if (key.organizationId !== binding.organizationId) throw new AppError("secret_unreadable");
      const dataKey = await importKey(await unwrap(key));
      return asWritten.decode(await decrypt(dataKey, sealed, secretContext(binding)));
    },
  };
}

// Whatever it begins with.
const asWritten = new TextDecoder("utf-8", { ignoreBOM: true });

const importKey = (bytes: Bytes) =>
  crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);

async function decrypt(
  key: CryptoKey,
  { ciphertext, nonce }: Sealed,
  context: Bytes,
): Promise<Bytes> {
  try {
    const algorithm = { name: "AES-GCM", iv: bytes(nonce), additionalData: context };
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, bytes(ciphertext)));
  } catch (cause) {
    throw new AppError("secret_unreadable", { cause });
  }
}

// What is authenticated with the bytes. No part can hold the separator: UUIDs, numbers, and ids of letters.
const secretContext = ({ organizationId, connectionId, version }: Binding) =>
  context("connection-secret", organizationId, connectionId, version);
const keyContext = (organizationId: string, id: string, masterKeyId: string, version: number) =>
  context("data-key", organizationId, id, masterKeyId, version);
const context = (...parts: (string | number)[]) =>
  new TextEncoder().encode(["nectar/1", ...parts].join("\n").toLowerCase());

const base64 = (buffer: ArrayBuffer | Bytes) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const bytes = (text: string): Bytes => Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));
