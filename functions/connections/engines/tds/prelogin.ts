import type { Duplex } from "node:stream";
import type { ProbeFacts } from "../../engine.ts";
import { ConnectionFailure } from "../../failures.ts";
import { untilAborted } from "../until-aborted.ts";
import { concat, empty, uint16, uint16At } from "../bytes.ts";
import { packetAt, prelogin, result, toPackets } from "./packets.ts";

const option = { version: 0, encryption: 1, instance: 2, thread: 3, mars: 4, end: 0xff } as const;
const notSupported = 2;
const encryptions = ["off", "on", "not_supported", "required"] as const;
const longestReply = 4096;

export interface Prelogin extends ProbeFacts {
  /** The same answer, as a driver must see it that shall not start encryption by itself. */
  replyForDriver: Uint8Array;
}

/**
 * Asks the server for its version and what it wants of encryption: the first exchange of TDS.
 *
 * @throws {ConnectionFailure} `unsupported_server` when the answer is no TDS, `refused` when there is none, `timeout`.
 */
export async function exchangePrelogin(
  stream: Duplex,
  wish: "on" | "not_supported",
  signal: AbortSignal,
): Promise<Prelogin> {
  stream.write(toPackets(prelogin, writeOptions(encryptions.indexOf(wish))));
  const payload = await untilAborted(signal, readReply(stream));
  const options = readOptions(payload);
  const version = options.get(option.version);
  const encryption = options.get(option.encryption);
  if (!version || version.length < 4 || !encryption || encryption.length === 0) {
    throw new ConnectionFailure("unsupported_server");
  }
  const offer = encryptions[encryption[0] ?? notSupported] ?? null;
  // A view into the payload: what is written here is in the reply.
  encryption[0] = notSupported;
  return {
    version: `${version[0]}.${version[1]}.${uint16At(version, 2)}`,
    encryption: offer,
    replyForDriver: toPackets(result, payload),
  };
}

function writeOptions(encryption: number): Uint8Array {
  const options: [number, number[]][] = [
    [option.version, [0, 0, 0, 0, 0, 0]],
    [option.encryption, [encryption]],
    [option.instance, [0]],
    [option.thread, [0, 0, 0, 0]],
    [option.mars, [0]],
  ];
  let at = options.length * 5 + 1;
  const heads = options.flatMap(([type, { length }]) => {
    at += length;
    return [type, ...uint16(at - length), ...uint16(length)];
  });
  return Uint8Array.from([...heads, option.end, ...options.flatMap(([, data]) => data)]);
}

function readOptions(payload: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at + 5 <= payload.length && payload[at] !== option.end; at += 5) {
    const start = uint16At(payload, at + 1);
    options.set(payload[at] ?? 0, payload.subarray(start, start + uint16At(payload, at + 3)));
  }
  return options;
}

function readReply(stream: Duplex): Promise<Uint8Array> {
  let pending: Uint8Array = empty;
  const parts: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      stream.off("data", onData).off("close", onClose).off("end", onClose).off("error", onClose);
      stream.pause();
      act();
    };
    const fail = (code: "unsupported_server" | "refused") =>
      settle(() => reject(new ConnectionFailure(code)));
    const onClose = () => fail(pending.length > 0 ? "unsupported_server" : "refused");
    const onData = (chunk: Uint8Array) => {
      pending = concat([pending, chunk]);
      for (let packet = packetAt(pending); packet !== undefined; packet = packetAt(pending)) {
        // Nothing may follow the reply: the client speaks next.
        if (packet === null || packet.type !== result) return fail("unsupported_server");
        parts.push(packet.payload);
        pending = pending.subarray(packet.length);
        if (!packet.last) continue;
        if (pending.length > 0) return fail("unsupported_server");
        return settle(() => resolve(concat(parts)));
      }
      const known = pending.length === 0 || pending[0] === result;
      if (!known || pending.length > longestReply || parts.length > 1) fail("unsupported_server");
    };
    stream.on("data", onData).on("close", onClose).on("end", onClose).on("error", onClose);
  });
}
