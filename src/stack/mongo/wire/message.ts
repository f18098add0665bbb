import { BSON } from "bson";
import { type Document, decode, isDocument, requireSound } from "../values.ts";
import { crc32c } from "./crc32c.ts";

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

const CHECKSUM = 1;
const MORE_TO_COME = 2;
/** Bits that must be understood, and are not. */
const UNKNOWN = 0xffff & ~(CHECKSUM | MORE_TO_COME);

/** Bytes that are no message: whoever sends them is not talked to any further. */
export class BrokenMessage extends Error {}

export interface Request {
  id: number;
  /** The command; undefined when it could not be read, and `problem` says why. */
  command: Document | undefined;
  problem: unknown;
  /** Nobody waits for an answer. */
  silent: boolean;
  /** The first message of a connection may be one of the old kind, and so is its answer. */
  legacy: boolean;
}

/**
 * Reads one message.
 *
 * @throws {BrokenMessage} when its framing is wrong. A document in it that is no BSON is a `problem` to answer with.
 */
export function readMessage(message: Buffer): Request {
  const id = message.readInt32LE(4);
  const operation = message.readInt32LE(12);
  if (operation === OP_QUERY) return readQuery(message, id);
  if (operation !== OP_MSG) throw new BrokenMessage(`operation ${operation}`);
  if (message.length < 21) throw new BrokenMessage("too short");
  const flags = message.readUInt32LE(16);
  if (flags & UNKNOWN) throw new BrokenMessage("unknown flags");
  let end = message.length;
  if (flags & CHECKSUM) {
    end -= 4;
    if (end < 21 || crc32c(message.subarray(0, end)) !== message.readUInt32LE(end))
      throw new BrokenMessage("checksum");
  }
  const { body, sequences } = readSections(message, end);
  const request = { id, silent: (flags & MORE_TO_COME) !== 0, legacy: false };
  try {
    const command = decode(body);
    requireSound(command);
    for (const [name, documents] of sequences) {
      if (Object.hasOwn(command, name)) throw new BrokenMessage(`${name} twice`);
      command[name] = documents.map((bytes) => {
        const document = decode(bytes);
        requireSound(document);
        return document;
      });
    }
    return { ...request, command, problem: undefined };
  } catch (problem) {
    if (problem instanceof BrokenMessage) throw problem;
    return { ...request, command: undefined, problem };
  }
}

/** Exactly one body, and any number of lists of documents. */
function readSections(message: Buffer, end: number): { body: Buffer; sequences: Map<string, Buffer[]> } {
  let body: Buffer | undefined;
  const sequences = new Map<string, Buffer[]>();
  let at = 20;
  while (at < end) {
    const kind = message[at++];
    if (kind === 0) {
      if (body) throw new BrokenMessage("two bodies");
      body = documentAt(message, at, end);
      at += body.length;
    } else if (kind === 1) {
      const stop = at + sizeAt(message, at, end);
      const name = message.indexOf(0, at + 4);
      if (name < 0 || name >= stop) throw new BrokenMessage("a list without a name");
      const list: Buffer[] = [];
      const key = message.toString("utf8", at + 4, name);
      if (sequences.has(key) || key === "" || key === "__proto__") throw new BrokenMessage("a list's name");
      sequences.set(key, list);
      at = name + 1;
      while (at < stop) {
        const document = documentAt(message, at, stop);
        list.push(document);
        at += document.length;
      }
    } else throw new BrokenMessage(`section of kind ${kind}`);
  }
  if (!body) throw new BrokenMessage("no body");
  return { body, sequences };
}

function sizeAt(message: Buffer, at: number, end: number): number {
  if (at + 4 > end) throw new BrokenMessage("a size beyond the end");
  const size = message.readInt32LE(at);
  if (size < 5 || at + size > end) throw new BrokenMessage(`a size of ${size}`);
  return size;
}

const documentAt = (message: Buffer, at: number, end: number) =>
  message.subarray(at, at + sizeAt(message, at, end));

function readQuery(message: Buffer, id: number): Request {
  const name = message.indexOf(0, 20);
  if (name < 0 || name + 9 >= message.length) throw new BrokenMessage("a query without a collection");
  const namespace = message.toString("utf8", 20, name);
  const body = documentAt(message, name + 9, message.length);
  const request = { id, silent: false, legacy: true };
  try {
    const command = decode(body);
    requireSound(command);
    // Some wrap it, to say more about the read.
    const inner: Document = isDocument(command["$query"]) ? command["$query"] : command;
    const [first = ""] = Object.keys(inner);
    if (!namespace.endsWith(".$cmd") || !/^(hello|ismaster)$/i.test(first))
      throw new BrokenMessage("a query");
    return { ...request, command: { ...inner, $db: namespace.slice(0, -5) }, problem: undefined };
  } catch (problem) {
    if (problem instanceof BrokenMessage) throw problem;
    return { ...request, command: undefined, problem };
  }
}

let lastReply = 0;

/** The answer to a request. */
export function writeReply({ id, legacy }: Request, reply: Document | Uint8Array): Buffer {
  const body = reply instanceof Uint8Array ? reply : BSON.serialize(reply, { ignoreUndefined: true });
  const head = Buffer.alloc(legacy ? 36 : 21);
  lastReply = (lastReply + 1) & 0x7fffffff;
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(lastReply, 4);
  head.writeInt32LE(id, 8);
  head.writeInt32LE(legacy ? OP_REPLY : OP_MSG, 12);
  if (legacy) {
    head.writeInt32LE(8, 16); // can await, as every server since 3.2
    head.writeInt32LE(1, 32);
  }
  return Buffer.concat([head, body]);
}
