export const packetType = {
  batch: 0x01,
  rpc: 0x03,
  result: 0x04,
  attention: 0x06,
  transaction: 0x0e,
  login7: 0x10,
  prelogin: 0x12,
} as const;

const headerBytes = 8;
const endOfMessage = 0x01;

/** Cuts a message into packets of at most `packetSize` bytes. */
export function toPackets(type: number, payload: Buffer, packetSize = 4096): Buffer {
  const most = packetSize - headerBytes;
  const packets: Buffer[] = [];
  for (let at = 0, id = 1; at === 0 || at < payload.length; at += most, id++) {
    const part = payload.subarray(at, at + most);
    const header = Buffer.alloc(headerBytes);
    header[0] = type;
    header[1] = at + most >= payload.length ? endOfMessage : 0;
    header.writeUInt16BE(headerBytes + part.length, 2);
    header[6] = id & 0xff;
    packets.push(header, part);
  }
  return Buffer.concat(packets);
}

/** Puts messages together from what arrives. Throws at a packet that cannot be one. */
export function createPacketReader(onMessage: (type: number, payload: Buffer) => void) {
  let pending: Buffer = Buffer.alloc(0);
  let parts: Buffer[] = [];
  return {
    read(chunk: Buffer): void {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= headerBytes) {
        const length = pending.readUInt16BE(2);
        if (length < headerBytes) throw new Error("A packet is shorter than its header.");
        if (pending.length < length) return;
        const packet = pending.subarray(0, length);
        pending = pending.subarray(length);
        parts.push(packet.subarray(headerBytes));
        if (((packet[1] ?? 0) & endOfMessage) === 0) continue;
        const message = Buffer.concat(parts);
        parts = [];
        onMessage(packet[0] ?? 0, message);
      }
    },
    /** Whether the next byte begins a packet. */
    atStart: () => pending.length === 0 && parts.length === 0,
  };
}
