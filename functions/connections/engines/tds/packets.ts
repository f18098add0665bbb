import { concat, uint16, uint16At } from "../bytes.ts";

export const prelogin = 0x12;
export const result = 0x04;

export const headerBytes = 8;
const endOfMessage = 0x01;
const packetBytes = 4096;

/** One TDS message, cut into packets. */
export function toPackets(type: number, payload: Uint8Array): Uint8Array {
  const most = packetBytes - headerBytes;
  const packets: Uint8Array[] = [];
  for (let at = 0, id = 1; at === 0 || at < payload.length; at += most, id++) {
    const part = payload.subarray(at, at + most);
    const status = at + most < payload.length ? 0 : endOfMessage;
    const header = [type, status, ...uint16(headerBytes + part.length), 0, 0, id & 0xff, 0];
    packets.push(Uint8Array.from(header), part);
  }
  return concat(packets);
}

export interface Packet {
  type: number;
  last: boolean;
  payload: Uint8Array;
  /** Of the whole packet. */
  length: number;
}

/** The packet at the start of `bytes`; undefined while it is incomplete, null when it cannot be one. */
export function packetAt(bytes: Uint8Array): Packet | undefined | null {
  if (bytes.length < headerBytes) return undefined;
  const length = uint16At(bytes, 2);
  if (length < headerBytes) return null;
  if (bytes.length < length) return undefined;
  const last = ((bytes[1] ?? 0) & endOfMessage) !== 0;
  return { type: bytes[0] ?? 0, last, payload: bytes.subarray(headerBytes, length), length };
}
