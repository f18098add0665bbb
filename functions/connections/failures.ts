import type { ProbeFacts } from "./engine.ts";

/** Why a test did not succeed: a closed set, each with the sentence that says what to do. */
export const failureMessages = {
  dns_failed: "The host name cannot be resolved. Check its spelling, and that it is public.",
  blocked_address:
    "This address cannot be used from here: only public addresses and database ports are. Check the host and the port.",
  refused: "Nothing accepts connections there. Check the host, the port, and that a firewall lets us in.",
  timeout: "The server did not answer in time. Check the host, the port, and that a firewall lets us in.",
  tls_failed: "The encrypted connection could not be made.",
  tls_required: "The server accepts only encrypted connections. Choose a TLS mode that encrypts.",
  login_failed:
    "The server refused the user name or the password. Check both, and that this login may connect.",
  database_not_found: "The server has no such database, or this login may not open it. Check its name.",
  permission_denied:
    "The login works, but lacks a right that is needed. Ask the database's administrator for it.",
  unsupported_server:
    "What answers there does not speak this engine's protocol, or speaks a version that is not supported.",
  runtime_unsupported:
    "This runtime cannot log in to the server as asked. Give the port rather than an instance, TLS mode strict where SQL Server is 2022 or later, or see CONNECTIONS_URL in the operations page.",
} as const;

export type FailureCode = keyof typeof failureMessages;

/** Why `tls_failed`: a closed set. */
export const tlsReasons = {
  not_offered: "The server does not offer encryption. Turn it on there, or choose another TLS mode.",
  untrusted: "Its certificate is not signed by an authority we know. Give its CA certificate.",
  self_signed: "Its certificate is self-signed. Give that certificate as the CA certificate.",
  wrong_name: "Its certificate is for another host name. Use a name that the certificate has.",
  expired: "Its certificate has expired. Renew it on the server.",
  not_yet_valid: "Its certificate is not valid yet. Check the server's clock.",
  invalid_ca: "The CA certificate that you gave cannot be read. Give it as PEM.",
  client_certificate: "The server asks for a client certificate, which is not supported.",
  protocol: "The server and we have no TLS version or cipher in common. TLS 1.2 or later is needed.",
} as const;

export type TlsReason = keyof typeof tlsReasons;

/** Thrown by an engine (and by what dials for it): the runner answers with it. Carries nobody's words. */
export class ConnectionFailure extends Error {
  override readonly name = "ConnectionFailure";
  readonly code: FailureCode;
  readonly reason: TlsReason | undefined;
  /** What was learned before it failed. */
  readonly facts: ProbeFacts | undefined;

  constructor(code: FailureCode, options: { reason?: TlsReason; facts?: ProbeFacts; cause?: unknown } = {}) {
    super(code, { cause: options.cause });
    this.code = code;
    this.reason = options.reason;
    this.facts = options.facts;
  }
}

/** The sentence for a failure. */
export function failureMessage(code: FailureCode, reason?: TlsReason): string {
  return reason ? `${failureMessages[code]} ${tlsReasons[reason]}` : failureMessages[code];
}
