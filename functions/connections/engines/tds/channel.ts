import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ConnectionRequest, ProbeFacts, TlsFacts } from "../../engine.ts";
import { ConnectionFailure } from "../../failures.ts";
import { type LocalPair, secure } from "../tls/secure.ts";
import { driverSocket } from "../driver-socket.ts";
import { packetAt } from "./packets.ts";
import { exchangePrelogin } from "./prelogin.ts";
import { unwrapHandshake, wrapHandshake } from "./record-framing.ts";

export interface Channel {
  /** For the driver: its own PRELOGIN gets the answer that the server gave, and goes no further. */
  socket: Socket;
  tls: TlsFacts | null;
  /** Milliseconds of the TLS handshake. */
  tlsTime: number | null;
}

type Redirect = { host: string; port: number };

// With the exchange before it, this stays within the five seconds that any other failure takes.
const strictMilliseconds = 3000;

/**
 * Dials, and does all that comes before the login. Where the runtime cannot encrypt inside TDS, a server that speaks TDS 8
 * is logged into by that.
 *
 * @param redirect - Where the server sent us.
 * @throws {ConnectionFailure} with what the server said of its version and encryption, if it did.
 */
export async function openChannel(
  request: ConnectionRequest,
  redirect: Redirect | undefined,
  localPair: LocalPair | undefined,
): Promise<Channel> {
  if (request.tls.mode === "strict") return await openStrict(request, redirect);
  try {
    return await openPlainFirst(request, redirect, localPair);
  } catch (error) {
    if (!(error instanceof ConnectionFailure) || error.code !== "runtime_unsupported") throw error;
    return await openInstead(request, redirect, error);
  }
}

/** TDS 8: TLS, then all else. */
async function openStrict(request: ConnectionRequest, redirect: Redirect | undefined): Promise<Channel> {
  const { signal, clock } = request;
  const socket = await request.dial(redirect);
  socket.on("error", () => {});
  try {
    const begun = clock();
    const host = redirect?.host ?? request.host;
    const { stream, facts } = await secure(socket, request, { host, alpn: "tds/8.0" });
    const tlsTime = clock() - begun;
    const { replyForDriver } = await exchangePrelogin(stream, "on", signal);
    return { socket: preloggedIn(stream, replyForDriver, request), tls: facts, tlsTime };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** TDS 7: the two agree on encryption in clear. */
async function openPlainFirst(
  request: ConnectionRequest,
  redirect: Redirect | undefined,
  localPair: LocalPair | undefined,
): Promise<Channel> {
  const { tls: { mode }, signal, clock } = request;
  const socket = await request.dial(redirect);
  socket.on("error", () => {});
  try {
    const wish = mode === "disable" ? "not_supported" : "on";
    const { replyForDriver, version, encryption } = await exchangePrelogin(socket, wish, signal);
    const facts = { version, encryption };
    const offered = encryption === "on" || encryption === "required";
    if (mode === "disable") {
      if (offered) throw new ConnectionFailure("tls_required", { facts });
      return { socket: preloggedIn(socket, replyForDriver, request), tls: null, tlsTime: null };
    }
    if (!offered) throw new ConnectionFailure("tls_failed", { reason: "not_offered", facts });

    const begun = clock();
    const host = redirect?.host ?? request.host;
    const framing = { wrap: wrapHandshake(), unwrap: unwrapHandshake() };
    const secured = await secure(socket, request, { host, framing }, localPair).catch((error) => {
      throw withFacts(error, facts);
    });
    const tlsTime = clock() - begun;
    return { socket: preloggedIn(secured.stream, replyForDriver, request), tls: secured.facts, tlsTime };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** @param before - What came of TDS 7: the answer, unless TDS 8 gives a better one. */
async function openInstead(
  request: ConnectionRequest,
  redirect: Redirect | undefined,
  before: ConnectionFailure,
): Promise<Channel> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), strictMilliseconds);
  try {
    const signal = AbortSignal.any([request.signal, limit.signal]);
    return await openStrict({ ...request, signal }, redirect);
  } catch (error) {
    // The certificate is the same one.
    const { code, reason } = error as ConnectionFailure;
    throw code === "tls_failed" && reason !== "protocol" && before.facts
      ? withFacts(error, before.facts)
      : before;
  } finally {
    clearTimeout(timer);
  }
}

function withFacts(error: unknown, facts: ProbeFacts): ConnectionFailure {
  const { code, reason, cause } = error as ConnectionFailure;
  return new ConnectionFailure(code, { ...(reason && { reason }), facts, cause });
}

function preloggedIn(channel: Duplex, reply: Uint8Array, { mostBytes }: ConnectionRequest): Socket {
  const intercept = (said: Uint8Array) => {
    const packet = packetAt(said);
    return packet === undefined ? undefined : { reply, rest: said.subarray(packet?.length ?? 0) };
  };
  return driverSocket(channel, { mostBytes, intercept }).socket;
}
