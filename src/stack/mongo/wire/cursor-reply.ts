import type { Batch } from "../cursors.ts";

/** `{ cursor: { firstBatch: […], id, ns }, ok: 1 }`, of documents that are bytes already. */
export function cursorReply(
  name: "firstBatch" | "nextBatch",
  { id, namespace, documents }: Batch,
): Uint8Array {
  const ns = Buffer.from(namespace);
  const keys = documents.map((_document, i) => String(i));
  const list =
    4 + documents.reduce((sum, bytes, i) => sum + 2 + (keys[i] as string).length + bytes.length, 0) + 1;
  const cursor = 4 + (name.length + 2 + list) + (1 + 3 + 8) + (1 + 3 + 4 + ns.length + 1) + 1;
  const reply = Buffer.allocUnsafe(4 + (1 + 7 + cursor) + (1 + 3 + 8) + 1);
  let at = 0;
  const int32 = (value: number) => {
    at = reply.writeInt32LE(value, at);
  };
  const element = (type: number, key: string) => {
    reply[at++] = type;
    at += reply.write(key, at, "latin1");
    reply[at++] = 0;
  };
  int32(reply.length);
  element(0x03, "cursor");
  int32(cursor);
  element(0x04, name);
  int32(list);
  for (const [i, bytes] of documents.entries()) {
    element(0x03, keys[i] as string);
    reply.set(bytes, at);
    at += bytes.length;
  }
  reply[at++] = 0;
  element(0x12, "id");
  at = reply.writeBigInt64LE(id.toBigInt(), at);
  element(0x02, "ns");
  int32(ns.length + 1);
  reply.set(ns, at);
  at += ns.length;
  reply[at++] = 0;
  reply[at++] = 0;
  element(0x01, "ok");
  at = reply.writeDoubleLE(1, at);
  reply[at] = 0;
  return reply;
}
