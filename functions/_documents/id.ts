// Ids of one process are in the order in which they were made, also within a millisecond and when the clock is set back.
let latest = 0;
let sequence = 0;

/**
 * A new id: a UUID of version 7 (RFC 9562). It begins with its time, so that documents in the order of their ids are in
 * the order in which they were made.
 *
 * @param now - Milliseconds since 1970.
 */
export function newId(now: number = Date.now()): string {
  sequence = now > latest ? 0 : sequence + 1;
  // Twelve bits of a sequence; then the next millisecond is begun early.
  latest = Math.max(now, latest) + (sequence >> 12);
  sequence &= 0xfff;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(latest / 0x10000));
  view.setUint16(4, latest % 0x10000);
  view.setUint16(6, 0x7000 | sequence);
  view.setUint8(8, 0x80 | view.getUint8(8) & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
