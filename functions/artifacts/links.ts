import { AppError } from "../_shared/errors.ts";

/** Keys by their names; the first signs, all are accepted. Base64. */
export type LinkKeys = Record<string, string>;

export interface Link {
  organizationId: string;
  id: string;
  /** Seconds since 1970. */
  expires: number;
}

const algorithm = { name: "HMAC", hash: "SHA-256" };

/** What a link says beside its path: until when it is good, by which key, and the signature. */
export async function signLink(keys: LinkKeys | undefined, link: Link): Promise<Record<string, string>> {
  const [name] = Object.keys(keys ?? {});
  if (!keys || name === undefined) throw new AppError("links_unavailable");
  const signature = await crypto.subtle.sign("HMAC", await importKey(keys, name), textOf(link));
  return { expires: String(link.expires), key: name, signature: toBase64Url(new Uint8Array(signature)) };
}

/**
 * Lets a link pass whose signature one of the keys made and whose time is not over. Signatures are compared in constant time.
 *
 * @throws {AppError} `invalid_link`, whatever is wrong with it; `links_unavailable`
 */
export async function requireLink(
  keys: LinkKeys | undefined,
  link: Link & { key: string; signature: string },
  now: number,
): Promise<void> {
  if (!keys) throw new AppError("links_unavailable");
  if (!Object.hasOwn(keys, link.key)) throw new AppError("invalid_link");
  const key = await importKey(keys, link.key);
  const valid = await crypto.subtle.verify("HMAC", key, fromBase64(link.signature), textOf(link));
  if (!valid || link.expires * 1000 <= now) throw new AppError("invalid_link");
}

const importKey = (keys: LinkKeys, name: string) =>
  crypto.subtle.importKey("raw", fromBase64(keys[name] ?? ""), algorithm, false, ["sign", "verify"]);

const textOf = ({ organizationId, id, expires }: Link) =>
  new TextEncoder().encode(
    `nectar.artifact/1\n${organizationId}\n${id}\n${expires}`,
  );

const toBase64Url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function fromBase64(text: string) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
}
