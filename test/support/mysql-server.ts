import type { Socket } from "node:net";

/** What a MySQL server does to its client: most of it hostile. */
export type Trick =
  | "local_infile"
  | "clear_password"
  | "endless_handshake"
  | "endless_columns"
  | "words_before_tls"
  | "no_tls"
  | "secure_only"
  | "garbage";

const capability = { ssl: 0x800, all: 0x00_0f_a6_ff };

/** Speaks as much MySQL as a trick needs. `received` is told all that comes after the client's login. */
export function serveTrick(socket: Socket, trick: Trick, received: (bytes: Buffer) => void): void {
  let step = 0;
  if (trick === "garbage") return void socket.write("SSH-2.0-OpenSSH_9.9\r\n");
  if (trick === "words_before_tls") {
    // What anybody on the way could put behind a server's greeting: "caching_sha2_password, and all of the password".
    const greeted = packet(0, greeting(capability.all | capability.ssl));
    const switched = packet(2, Buffer.from("\xfecaching_sha2_password\0saltsaltsaltsaltsalt\0", "latin1"));
    socket.write(Buffer.concat([greeted, switched, packet(4, Buffer.from([0x01, 0x04]))]));
    return void socket.on("data", received);
  }
  socket.write(packet(0, greeting(trick === "no_tls" ? capability.all & ~capability.ssl : capability.all)));
  socket.on("data", (bytes) => {
    step++;
    if (step > 1) received(bytes);
    const sequence = (bytes[3] ?? 0) + 1;
    if (trick === "endless_handshake") {
      const more = setInterval(() => socket.write(packet(sequence, Buffer.from([0x01, 0x03]))), 20);
      socket.once("close", () => clearInterval(more));
    } else if (trick === "endless_columns") {
      if (step === 1) socket.write(packet(sequence, ok));
      else pourColumns(socket, sequence);
    } else if (trick === "clear_password" && step === 1) {
      socket.write(packet(sequence, Buffer.from("\xfemysql_clear_password\0", "latin1")));
    } else if (trick === "secure_only") {
      const text = "Connections using insecure transport are prohibited";
      socket.end(
        packet(sequence, Buffer.concat([Buffer.from([0xff, 0x57, 0x0c]), Buffer.from(`#HY000${text}`)])),
      );
    } else if (trick === "local_infile") {
      if (step === 1) socket.write(packet(sequence, ok));
      else if (step === 2) socket.write(packet(sequence, Buffer.from("\xfb/etc/passwd", "latin1")));
      else socket.write(packet(sequence, ok));
    }
  });
}

/** A result of 16,777,215 columns. */
function pourColumns(socket: Socket, first: number): void {
  const column = packet(0, Buffer.from("\x03def\0\0\0\0\0\x0c\x21\0\0\0\0\0\x03\0\0\0\0\0", "latin1"));
  const columns = Buffer.concat(Array.from({ length: 1000 }, () => column));
  let next = first + 1;
  const pour = () => {
    do for (let at = 3; at < columns.length; at += column.length) columns[at] = next++ & 0xff;
    while (!socket.destroyed && socket.write(Buffer.from(columns)));
  };
  socket.write(packet(first, Buffer.from([0xfd, 0xff, 0xff, 0xff])));
  socket.on("drain", pour);
  pour();
}

const ok = Buffer.from([0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00]);

function packet(sequence: number, payload: Buffer): Buffer {
  const { length } = payload;
  return Buffer.concat([
    Buffer.from([length & 0xff, (length >> 8) & 0xff, length >> 16, sequence & 0xff]),
    payload,
  ]);
}

function greeting(capabilities: number): Buffer {
  const low = Buffer.from([capabilities & 0xff, (capabilities >> 8) & 0xff]);
  const high = Buffer.from([(capabilities >> 16) & 0xff, (capabilities >> 24) & 0xff]);
  return Buffer.concat([
    Buffer.from("\x0a8.4.0-test\0\x01\0\0\0saltsalt\0", "latin1"),
    low,
    Buffer.from([0x2d, 0x02, 0x00]),
    high,
    Buffer.from([21]),
    Buffer.alloc(10),
    Buffer.from("saltsaltsalt\0mysql_native_password\0", "latin1"),
  ]);
}
