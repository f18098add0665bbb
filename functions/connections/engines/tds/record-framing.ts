import { Transform } from "node:stream";
import { concat, empty, uint16At } from "../bytes.ts";
import { packetAt, prelogin, result, toPackets } from "./packets.ts";

const record = { changeCipherSpec: 0x14, alert: 0x15, handshake: 0x16, applicationData: 0x17 } as const;
const recordHeaderBytes = 5;

/**
 * TLS records on their way to a TDS 7 server. The handshake travels in PRELOGIN messages, one for each flight: the
 * ClientHello, then all up to the record after ChangeCipherSpec. What follows is sent as it is.
 */
export function wrapHandshake(): Transform {
  let pending: Uint8Array = empty;
  let flight: Uint8Array[] = [];
  let flights = 0;
  let last: number | undefined;
  return new Transform({
    transform(chunk: Uint8Array, _, done) {
      pending = concat([pending, chunk]);
      while (flights < 2 && pending.length >= recordHeaderBytes) {
        const length = recordHeaderBytes + uint16At(pending, 3);
        if (pending.length < length) break;
        const type = pending[0] ?? 0;
        flight.push(pending.subarray(0, length));
        pending = pending.subarray(length);
        const complete = flights === 0 || last === record.changeCipherSpec || type === record.alert;
        last = type;
        if (!complete) continue;
        this.push(toPackets(prelogin, concat(flight)));
        flight = [];
        if (type !== record.alert) flights++;
      }
      if (flights < 2) return done();
      const rest = pending;
      pending = empty;
      done(null, rest);
    },
  });
}

/** TLS records on their way from the server: out of their packets for as long as they come in packets. */
export function unwrapHandshake(): Transform {
  let pending: Uint8Array = empty;
  let wrapped = true;
  return new Transform({
    transform(chunk: Uint8Array, _, done) {
      if (!wrapped) return done(null, chunk);
      pending = concat([pending, chunk]);
      while (pending.length > 0) {
        const type = pending[0] ?? 0;
        if (type >= record.changeCipherSpec && type <= record.applicationData) {
          wrapped = false;
          return done(null, pending);
        }
        const packet = packetAt(pending);
        if (packet === undefined) break;
        if (packet === null || (packet.type !== prelogin && packet.type !== result)) {
          return done(new Error("The server's part of the handshake is no TDS packet."));
        }
        this.push(packet.payload);
        pending = pending.subarray(packet.length);
      }
      done();
    },
  });
}
