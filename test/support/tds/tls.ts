import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { TLSSocket } from "node:tls";
import type { Identity } from "../certificates.ts";
import { packetType, toPackets } from "./packets.ts";

export interface ServerTls {
  /** The decrypted side. */
  plain: TLSSocket;
  /** The side of the network: TLS records go in here. */
  records: Duplex;
}

const applicationData = 0x17;

/**
 * The server's half of TLS: `inside` wraps the handshake's records into PRELOGIN packets (TDS 7), `first` is TLS before
 * anything else (TDS 8).
 */
export function startServerTls(socket: Socket, identity: Identity, kind: "inside" | "first"): ServerTls {
  const [clear, records] = duplexPair();
  const plain = new TLSSocket(clear, {
    isServer: true,
    ...identity,
    // TDS 7 has no TLS 1.3, as in SQL Server itself.
    ...(kind === "inside" ? { maxVersion: "TLSv1.2" as const } : { ALPNProtocols: ["tds/8.0"] }),
  });
  let handshaking = kind === "inside";
  plain.on("error", () => socket.destroy());
  records.on("data", (bytes: Buffer) => {
    handshaking &&= bytes[0] !== applicationData;
    socket.write(handshaking ? toPackets(packetType.prelogin, bytes) : bytes);
  });
  return { plain, records };
}
