export interface Login {
  user: string;
  password: string;
  application: string;
  server: string;
  database: string;
  readOnly: boolean;
}

/** Reads a LOGIN7 message. Its offsets are of the record's own start. */
export function readLogin7(payload: Buffer): Login {
  const text = (at: number) =>
    payload.subarray(payload.readUInt16LE(at), payload.readUInt16LE(at) + payload.readUInt16LE(at + 2) * 2);
  const password = Buffer.from(text(44));
  for (const [at, byte] of password.entries()) {
    const plain = byte ^ 0xa5;
    password[at] = ((plain << 4) | (plain >> 4)) & 0xff;
  }
  return {
    user: text(40).toString("utf16le"),
    password: password.toString("utf16le"),
    application: text(48).toString("utf16le"),
    server: text(52).toString("utf16le"),
    database: text(68).toString("utf16le"),
    readOnly: ((payload[26] ?? 0) & 0x20) !== 0,
  };
}
