import type { Artifact } from "../_documents/artifacts.ts";

/**
 * What a browser must know of a file that others made: it is saved, not shown, not guessed at, and if it is shown all the same
 * it may do nothing and belongs to no origin.
 */
export function downloadHeaders(
  { name, content_type, bytes, sha256 = "" }: Artifact,
): Record<string, string> {
  const plain = name.normalize("NFKD").replace(/[^\w .()-]/g, "_");
  const exact = encodeURIComponent(name).replace(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return {
    "content-type": content_type,
    "content-length": String(bytes),
    "content-disposition": `attachment; filename="${plain}"; filename*=UTF-8''${exact}`,
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "same-site",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
    "repr-digest": `sha-256=:${btoa(String.fromCharCode(...bytesOf(sha256)))}:`,
    etag: `"${sha256}"`,
  };
}

const bytesOf = (hex: string) => Array.from(hex.matchAll(/../g), ([pair]) => Number.parseInt(pair, 16));
