import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ConnectionRequest, TlsFacts } from "../../engine.ts";
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

/**
 * Dials, and does all that comes before the login.
 *
 * @param redirect - Where the server sent us.
 * @throws {ConnectionFailure} with what the server said of its version and encryption, if it did.
 */
export async function openChannel(
  request: ConnectionRequest,
  redirect: { host: string; port: number } | undefined,
  localPair: LocalPair | undefined,
): Promise<Channel> {
  const { tls: { mode }, signal, clock } = request;
  const host = redirect?.host ?? request.host;
  const socket = await request.dial(redirect);
  socket.on("error", () => {});
  try {
    if (mode === "strict") {
      const begun = clock();
      const { stream, facts } = await secure(socket, request, { host, alpn: "tds/8.0" }, localPair);
      const tlsTime = clock() - begun;
      const { replyForDriver } = await exchangePrelogin(stream, "on", signal);
      return { socket: preloggedIn(stream, replyForDriver), tls: facts, tlsTime };
    }

    const wish = mode === "disable" ? "not_supported" : "on";
    const { replyForDriver, version, encryption } = await exchangePrelogin(socket, wish, signal);
    const facts = { version, encryption };
    const offered = encryption === "on" || encryption === "required";
    if (mode === "disable") {
      if (offered) throw new ConnectionFailure("tls_required", { facts });
      return { socket: preloggedIn(socket, replyForDriver), tls: null, tlsTime: null };
    }
    if (!offered) throw new ConnectionFailure("tls_failed", { reason: "not_offered", facts });

    const begun = clock();
    const framing = { wrap: wrapHandshake(), unwrap: unwrapHandshake() };
    const secured = await secure(socket, request, { host, framing }, localPair).catch((error) => {
      const { code, reason, cause } = error as ConnectionFailure;
      throw new ConnectionFailure(code, { ...(reason && { reason }), facts, cause });
    });
    const tlsTime = clock() - begun;
    return { socket: preloggedIn(secured.stream, replyForDriver), tls: secured.facts, tlsTime };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function preloggedIn(channel: Duplex, reply: Uint8Array): Socket {
  const { socket } = driverSocket(channel, (said) => {
    const packet = packetAt(said);
    return packet === undefined ? undefined : { reply, rest: said.subarray(packet?.length ?? 0) };
  });
  return socket;
}
