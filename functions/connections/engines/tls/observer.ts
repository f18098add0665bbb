import { Transform } from "node:stream";
import { concat, empty, uint16At } from "../bytes.ts";

/** What a server shows of itself before encryption begins. TLS 1.3 shows no certificate. */
export interface Observed {
  version: string | null;
  /** DER. */
  certificate: Uint8Array | null;
}

const handshakeRecord = 22;
const message = { serverHello: 2, certificate: 11 } as const;
const supportedVersions = 43;
const versions: Record<number, string> = { 0x0303: "TLSv1.2", 0x0304: "TLSv1.3" };
const mostBytes = 64 * 1024;

/** Lets a server's TLS records through and reads those of the handshake, for runtimes that tell nothing of it. */
export function observeServer(): { stream: Transform; observed: () => Observed } {
  let records: Uint8Array = empty;
  let messages: Uint8Array = empty;
  let reading = true;
  const stream = new Transform({
    transform(chunk: Uint8Array, _, done) {
      if (reading) read(chunk);
      done(null, chunk);
    },
  });
  function read(chunk: Uint8Array) {
    records = concat([records, chunk]);
    while (reading && records.length >= 5) {
      const end = 5 + uint16At(records, 3);
      reading = records[0] === handshakeRecord && messages.length + end < mostBytes;
      if (!reading || records.length < end) return;
      messages = concat([messages, records.subarray(5, end)]);
      records = records.subarray(end);
    }
  }
  return { stream, observed: () => readMessages(messages) };
}

function readMessages(bytes: Uint8Array): Observed {
  const observed: Observed = { version: null, certificate: null };
  for (let at = 0; at + 4 <= bytes.length;) {
    const end = at + 4 + uint24At(bytes, at + 1);
    if (end > bytes.length) break;
    const body = bytes.subarray(at + 4, end);
    if (bytes[at] === message.serverHello) observed.version = versionOf(body);
    // The length of all, then the length of the server's own.
    if (bytes[at] === message.certificate) observed.certificate = body.slice(6, 6 + uint24At(body, 3));
    at = end;
  }
  return observed;
}

function versionOf(hello: Uint8Array): string | null {
  const session = 2 + 32;
  let at = session + 1 + (hello[session] ?? 0) + 2 + 1 + 2;
  while (at + 4 <= hello.length) {
    if (uint16At(hello, at) === supportedVersions) return versions[uint16At(hello, at + 4)] ?? null;
    at += 4 + uint16At(hello, at + 2);
  }
  return versions[uint16At(hello, 0)] ?? null;
}

const uint24At = (bytes: Uint8Array, at: number) => ((bytes[at] ?? 0) << 16) | uint16At(bytes, at + 1);
