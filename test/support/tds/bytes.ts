// The primitive types of TDS: little-endian numbers, UTF-16 strings with a length before them.

export const u8 = (value: number): Buffer => Buffer.from([value]);

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

export function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

export function i64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
}

export const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");

/** B_VARCHAR: at most 255 characters. */
export const shortText = (text: string): Buffer => Buffer.concat([u8(text.length), utf16(text)]);

/** US_VARCHAR: at most 65,535 characters. */
export const longText = (text: string): Buffer => Buffer.concat([u16(text.length), utf16(text)]);
