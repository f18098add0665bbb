import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { ConnectionFailure } from "../failures.ts";
import { concat, empty } from "./bytes.ts";

// Drivers forget what they have not parsed yet when the server's goodbye is right behind it.
const heldBackMilliseconds = 50;

export interface DriverSocket {
  /** What the driver takes for its socket. */
  socket: Socket;
  /** Stops reading from the stream, so that something else can. */
  release: () => void;
  /** Goes on over another stream, after `release`: TLS over the first one. */
  moveTo: (channel: Duplex) => void;
}

/** Answers the driver's first words in the server's stead: given all of them so far, until it has its answer. */
export type Intercept = (said: Uint8Array) => { reply: Uint8Array; rest: Uint8Array } | undefined;

export interface DriverSocketOptions {
  /** Of the server, all in all. */
  mostBytes: number;
  /** Reads along with the driver, before it: false for what the driver must not see. */
  bearable?: (heard: Uint8Array) => boolean;
  intercept?: Intercept;
}

/**
 * A socket for a driver, over a stream that may change under it. The end comes a little after the last bytes. A server that
 * says too much, or what is not bearable, is hung up on.
 */
export function driverSocket(
  first: Duplex,
  { mostBytes, bearable = () => true, intercept }: DriverSocketOptions,
): DriverSocket {
  let bytesLeft = mostBytes;
  let channel = first;
  let reading = true;
  let said: Uint8Array | undefined = intercept && empty;

  const stream = new Duplex({
    read: () => void (reading && channel.resume()),
    write(chunk: Uint8Array, _, done) {
      // Not a word between two channels: it would go out as it is, for all to read.
      if (!reading) return void done(new ConnectionFailure("unsupported_server"));
      if (!intercept || said === undefined) return void channel.write(chunk, done);
      said = concat([said, chunk]);
      const answered = intercept(said);
      if (!answered) return done();
      said = undefined;
      stream.push(answered.reply);
      if (answered.rest.length > 0) channel.write(answered.rest, done);
      else done();
    },
    final: (done) => void channel.end(() => done()),
    destroy(error, done) {
      channel.destroy();
      first.destroy();
      done(error);
    },
  });

  const onData = (chunk: Uint8Array) => {
    bytesLeft -= chunk.length;
    if (bytesLeft < 0 || !bearable(chunk)) {
      return void stream.destroy(new ConnectionFailure("unsupported_server"));
    }
    if (!stream.push(chunk)) channel.pause();
  };
  function attach(to: Duplex) {
    const later = (act: () => void) =>
      setTimeout(() => {
        if (channel === to) act();
      }, heldBackMilliseconds);
    to.on("data", onData);
    to.on("end", () => later(() => stream.push(null)));
    to.on("error", (error) => later(() => stream.destroy(error)));
    to.on("close", () => later(() => stream.destroy()));
  }
  const release = () => {
    reading = false;
    channel.off("data", onData);
    channel.pause();
  };
  attach(first);
  // The first one belongs to the next one now: to pause it would stop both.
  const moveTo = (next: Duplex) => {
    channel = next;
    reading = true;
    attach(next);
  };
  const noDelay = { setNoDelay: () => stream, setKeepAlive: () => stream };
  return { socket: Object.assign(stream, noDelay) as unknown as Socket, release, moveTo };
}
