import type { Duplex, Transform } from "node:stream";
import { isIP } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { ConnectionRequest, TlsFacts, TlsMode } from "../../engine.ts";
import { ConnectionFailure } from "../../failures.ts";
import { untilAborted } from "../until-aborted.ts";
import { assertCertificates, certificateFacts } from "./certificates.ts";
import { tlsFailure } from "./failure.ts";
import { startDenoTls, takeConnection } from "../../deno-socket.ts";
import { dialByDeno, dialByNode, loopbackPair } from "./loopback.ts";
import { observeServer } from "./observer.ts";

export interface SecureOptions {
  /** For SNI and the certificate; may be an IP address. Default: the request's. */
  host?: string;
  alpn?: string;
  /** Where TLS records travel inside another protocol's packets: what puts them in, and takes them out. */
  framing?: { wrap: Transform; unwrap: Transform };
}

export interface Secured {
  stream: Duplex;
  facts: TlsFacts;
}

/** How the two ends that lie between a server and TLS come about; tests have none. */
export type LocalPair = typeof loopbackPair;

/**
 * Makes a TLS connection over a connected stream, for every engine in the same way.
 *
 * @throws {ConnectionFailure} `tls_failed` with its reason, `timeout`, or `runtime_unsupported` where the runtime cannot
 * do it, or cannot leave out the check that the mode leaves out.
 */
export async function secure(
  server: Duplex,
  request: ConnectionRequest,
  options: SecureOptions = {},
  pair: LocalPair = loopbackPair,
): Promise<Secured> {
  const { tls: { mode, ca }, signal, runtime } = request;
  if (ca !== undefined) assertCertificates(ca);
  const begin = runtime.tlsInsideTds ? byNode : byDeno;
  try {
    return await untilAborted(signal, begin(server, request, options, pair));
  } catch (error) {
    server.destroy();
    throw error instanceof ConnectionFailure ? error : tlsFailure(error, mode, null);
  }
}

async function byNode(
  server: Duplex,
  { host, tls: { mode, ca }, signal }: ConnectionRequest,
  { host: other = host, alpn, framing }: SecureOptions,
  pair: LocalPair,
): Promise<Secured> {
  let carrier = server;
  if (framing) {
    // Over loopback, since Deno stalls over a stream that is no socket, if not at once then on large writes.
    const ends = await pair(dialByNode);
    if (!ends) throw new ConnectionFailure("runtime_unsupported");
    const [near, far] = ends;
    bridge(server, far, [framing.unwrap], [framing.wrap]);
    carrier = near;
  }
  const stream = connect({ socket: carrier, ...checks(other, mode), ...(ca && { ca }), ...protocols() });
  signal.addEventListener("abort", () => stream.destroy(), { once: true });
  await new Promise<void>((resolve, reject) => {
    stream.once("secureConnect", resolve);
    // Some runtimes end without a word when the other side does.
    stream.once("close", () => reject(new ConnectionFailure("tls_failed", { reason: "protocol" })));
    stream.on("error", reject);
  });
  const facts = factsOf(stream);
  // Looked at here rather than by the runtime, which would say less of why: nothing has been sent yet.
  if (mode !== "require" && stream.authorized !== true) {
    stream.destroy();
    throw tlsFailure(stream.authorizationError, mode, facts.certificate);
  }
  return { stream, facts };

  function protocols(): ConnectionOptions {
    return {
      minVersion: "TLSv1.2",
      ...(alpn !== undefined && { ALPNProtocols: [alpn] }),
      // The protocols that carry TLS inside theirs are older than TLS 1.3.
      ...(framing && { maxVersion: "TLSv1.2" }),
    };
  }
}

function checks(host: string, mode: TlsMode): ConnectionOptions {
  return {
    host,
    // An IP address is no server name (RFC 6066), but is compared with the certificate's.
    servername: isIP(host) ? "" : host,
    rejectUnauthorized: false,
    ...(mode === "verify-ca" && { checkServerIdentity: () => undefined }),
  };
}

/**
 * Deno before 2.5: node:tls hangs on all but a fresh socket, and takes a failed handshake for a good one. Deno.startTls
 * does neither, but wants a connection of Deno's own, and tells nothing of the certificate. Over loopback we see it pass.
 */
async function byDeno(
  server: Duplex,
  { host, tls: { mode, ca }, signal }: ConnectionRequest,
  { host: other = host, alpn, framing }: SecureOptions,
  pair: LocalPair,
): Promise<Secured> {
  const observer = observeServer();
  const ends = await pair(dialByDeno);
  const connection = ends ? ends[0] : framing ? undefined : takeConnection(server);
  if (!connection) throw new ConnectionFailure("runtime_unsupported");
  if (ends) {
    const inwards = framing ? [framing.unwrap, observer.stream] : [observer.stream];
    bridge(server, ends[1], inwards, framing ? [framing.wrap] : []);
  }
  const facts = () => {
    const { version, certificate } = observer.observed();
    return { version, cipher: null, certificate: certificateFacts(certificate) };
  };
  const stream = await startDenoTls(connection, { host: other, ca, alpn }, signal).catch((error) => {
    throw tlsFailure(error, mode, facts().certificate);
  });
  if (!ends) {
    // Whoever ends the one that was dialled means this one.
    server.once("close", () => stream.destroy());
    if (server.destroyed) stream.destroy();
  }
  return { stream, facts: facts() };
}

/**
 * What arrives at one goes out of the other, and what arrived before the server ended as well. Piped by hand: `pipeline`
 * makes errors, with their stacks, of every end, and most ends here are what was meant.
 */
function bridge(server: Duplex, far: Duplex, inwards: Transform[], outwards: Transform[]): void {
  const parts = [server, far, ...inwards, ...outwards];
  const close = () => parts.forEach((part) => part.destroy());
  for (const part of parts) part.once("error", close);
  server.once("close", () => server.readableEnded || close());
  far.once("close", close);
  // A stream that was gone before says nothing any more.
  if (server.destroyed) close();
  [...inwards, far].reduce((from, to) => from.pipe(to), server);
  [...outwards, server].reduce((from, to) => from.pipe(to), far);
}

function factsOf(stream: TLSSocket): TlsFacts {
  return {
    version: stream.getProtocol(),
    cipher: stream.getCipher()?.name ?? null,
    certificate: certificateFacts(stream.getPeerCertificate()?.raw as unknown as Uint8Array | undefined),
  };
}
