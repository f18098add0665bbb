import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { concat, empty } from "../bytes.ts";
import { packetAt } from "./packets.ts";

// The driver forgets a login error that it has not parsed yet when the server's FIN is right behind it.
const heldBackMilliseconds = 50;

/**
 * What the driver takes for its socket: a channel on which PRELOGIN, and TLS where there is any, are done. Its own
 * PRELOGIN gets the answer that the server gave, and goes no further.
 */
export function driverStream(channel: Duplex, preloginReply: Uint8Array): Socket {
  let first: Uint8Array | undefined = empty;
  const stream = new Duplex({
    read: () => void channel.resume(),
    write(chunk: Uint8Array, _, done) {
      if (first === undefined) return void channel.write(chunk, done);
      first = concat([first, chunk]);
      const packet = packetAt(first);
      if (packet === undefined) return done();
      const rest = first.subarray(packet?.length ?? 0);
      first = undefined;
      stream.push(preloginReply);
      if (rest.length > 0) channel.write(rest, done);
      else done();
    },
    final: (done) => void channel.end(() => done()),
    destroy(error, done) {
      channel.destroy();
      done(error);
    },
  });
  const later = (act: () => void) => void setTimeout(act, heldBackMilliseconds);
  channel.on("data", (chunk) => {
    if (!stream.push(chunk)) channel.pause();
  });
  channel.on("end", () => later(() => stream.push(null)));
  channel.on("error", (error) => later(() => stream.destroy(error)));
  channel.on("close", () => later(() => stream.destroy()));
  return Object.assign(stream, { setNoDelay: () => stream, setKeepAlive: () => stream }) as unknown as Socket;
}
