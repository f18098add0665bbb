import { createHash, X509Certificate } from "node:crypto";
import type { TlsFacts } from "../../engine.ts";
import { ConnectionFailure } from "../../failures.ts";
import { printable } from "../printable.ts";

/** @throws {ConnectionFailure} `tls_failed` for text that holds no certificate, or one that cannot be read. */
export function assertCertificates(pem: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (cause) {
    throw new ConnectionFailure("tls_failed", { reason: "invalid_ca", cause });
  }
  if (blocks.length === 0) throw new ConnectionFailure("tls_failed", { reason: "invalid_ca" });
}

/** @param der - Null where the runtime or the protocol does not show it. */
export function certificateFacts(der: Uint8Array | null | undefined): TlsFacts["certificate"] {
  if (!der) return null;
  const { subject, issuer, subjectAltName, validFrom, validTo } = new X509Certificate(der);
  return {
    subject: commonName(subject),
    issuer: commonName(issuer),
    // Deno before 2.5 does not tell them.
    names: (subjectAltName ?? "").split(", ").filter(Boolean).slice(0, 20).map((name) =>
      printable(name.replace(/^(DNS|IP Address):/, ""), 253)
    ),
    valid_from: isoTime(validFrom),
    valid_to: isoTime(validTo),
    fingerprint: createHash("sha256").update(der).digest("hex"),
    self_signed: subject === issuer,
  };
}

function commonName(party: string): string {
  const [, value = party] = party.match(/(?:^|\n|, )CN=([^\n]*)/) ?? [];
  return printable(value, 200);
}

function isoTime(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}
