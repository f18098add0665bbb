import type { TlsFacts, TlsMode } from "../../engine.ts";
import { ConnectionFailure, type TlsReason } from "../../failures.ts";

// OpenSSL's codes, and what rustls says, which has none.
const reasons: [RegExp, TlsReason][] = [
  [/ALTNAME_INVALID|NotValidForName/, "wrong_name"],
  [/DEPTH_ZERO_SELF_SIGNED_CERT|CaUsedAsEndEntity/, "self_signed"],
  [/HAS_EXPIRED|\bExpired\b/, "expired"],
  [/NOT_YET_VALID|NotValidYet/, "not_yet_valid"],
  [/SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|UnknownIssuer|INVALID_CA|invalid peer certificate/, "untrusted"],
  [/CERTIFICATE_REQUIRED|CertificateRequired/, "client_certificate"],
];

/**
 * What a failed handshake means for the caller.
 *
 * @param certificate - The server's, where it was seen: some runtimes call everything untrusted.
 */
export function tlsFailure(
  error: unknown,
  mode: TlsMode,
  certificate: TlsFacts["certificate"],
): ConnectionFailure {
  const said = error instanceof Error
    ? `${"code" in error ? error.code : ""} ${error.message}`
    : String(error);
  const named = reasons.find(([pattern]) => pattern.test(said))?.[1] ?? "protocol";
  const reason = named === "untrusted" && certificate ? closer(certificate) : named;
  // Deno before 2.5 checks the whole certificate whether it is asked to or not.
  const unasked = mode === "require"
    ? reason !== "protocol" && reason !== "client_certificate"
    : mode === "verify-ca" && reason === "wrong_name";
  if (unasked) return new ConnectionFailure("runtime_unsupported", { cause: error });
  return new ConnectionFailure("tls_failed", { reason, cause: error });
}

function closer({ valid_from, valid_to, self_signed }: NonNullable<TlsFacts["certificate"]>): TlsReason {
  if (Date.parse(valid_to) < Date.now()) return "expired";
  if (Date.parse(valid_from) > Date.now()) return "not_yet_valid";
  return self_signed ? "self_signed" : "untrusted";
}
