import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate } from "node:tls";
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

export function certificateFacts(certificate: DetailedPeerCertificate | undefined): TlsFacts["certificate"] {
  if (!certificate?.raw) return null;
  const { subject, issuer, subjectaltname = "" } = certificate;
  return {
    subject: commonName(subject),
    issuer: commonName(issuer),
    names: subjectaltname.split(", ").filter(Boolean).slice(0, 20).map((name) =>
      printable(name.replace(/^(DNS|IP Address):/, ""), 253)
    ),
    valid_from: isoTime(certificate.valid_from),
    valid_to: isoTime(certificate.valid_to),
    fingerprint: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    self_signed: JSON.stringify(subject) === JSON.stringify(issuer),
  };
}

const commonName = (party: DetailedPeerCertificate["subject"] | undefined) =>
  printable(party?.CN ?? party?.O ?? "", 200);

function isoTime(text: string): string {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}
