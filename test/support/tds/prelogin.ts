/** What a side says of encryption before the login. */
export const encryption = { off: 0, on: 1, not_supported: 2, required: 3 } as const;
export type Encryption = keyof typeof encryption;

const option = { version: 0, encryption: 1, instance: 2, thread: 3, mars: 4, terminator: 0xff } as const;

/** The client's wish. */
export function readPreloginEncryption(payload: Buffer): number {
  for (let at = 0; at + 5 <= payload.length && payload[at] !== option.terminator; at += 5) {
    if (payload[at] === option.encryption) return payload[payload.readUInt16BE(at + 1)] ?? 0;
  }
  return encryption.not_supported;
}

/** The server's answer. `version` is major, minor, build. */
export function writePrelogin(value: number, version: [number, number, number]): Buffer {
  const [major, minor, build] = version;
  const options: [number, Buffer][] = [
    [option.version, Buffer.from([major, minor, build >> 8, build & 0xff, 0, 0])],
    [option.encryption, Buffer.from([value])],
    [option.instance, Buffer.from([0])],
    [option.thread, Buffer.alloc(0)],
    [option.mars, Buffer.from([0])],
  ];
  let at = options.length * 5 + 1;
  const heads = options.map(([type, { length }]) => {
    const head = Buffer.alloc(5);
    head[0] = type;
    head.writeUInt16BE(at, 1);
    head.writeUInt16BE(length, 3);
    at += length;
    return head;
  });
  return Buffer.concat([...heads, Buffer.from([option.terminator]), ...options.map(([, data]) => data)]);
}

/** What the server answers to the client's wish, by its own policy ([MS-TDS] 2.2.6.5). */
export function negotiate(wish: number, policy: Encryption): number {
  if (policy === "not_supported") return encryption.not_supported;
  if (wish === encryption.on || wish === encryption.required) return encryption.on;
  if (policy === "required" || policy === "on") return encryption.required;
  return wish === encryption.off ? encryption.off : encryption.not_supported;
}
