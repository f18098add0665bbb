import { connect } from "node:net";
import { startFakeServer } from "./fake-server.ts";

/** What a server said through us while `work` ran, in the pieces that it came in. */
export async function record(port: number, work: (port: number) => Promise<void>): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  const proxy = await startFakeServer((client) => {
    const server = connect(port, "127.0.0.1");
    server.on("error", () => {}).on("close", () => client.destroy());
    client.on("close", () => server.destroy()).pipe(server);
    server.on("data", (piece) => {
      pieces.push(piece);
      client.write(piece);
    });
  });
  await work(proxy.port);
  await proxy.close();
  return pieces;
}

/** Says the pieces, one for each that is said to it; the first one unasked, where the server speaks first. */
export function replay(pieces: Buffer[], speaksFirst: boolean) {
  return startFakeServer((socket) => {
    let next = 0;
    const say = () => void (next < pieces.length && socket.write(pieces[next++] ?? ""));
    if (speaksFirst) say();
    socket.on("data", say);
  });
}

/** Below `limit`, the same ones each time. */
export function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >> 8) % limit;
  };
}

/** The pieces with some bytes changed, put in or left out. */
export function mutate(pieces: Buffer[], random: (limit: number) => number): Buffer[] {
  const changed = pieces.map((piece) => Buffer.from(piece));
  for (let times = 1 + random(4); times > 0; times--) {
    const which = random(changed.length);
    const piece = changed[which] ?? Buffer.alloc(0);
    if (piece.length === 0) continue;
    const at = random(piece.length);
    const strange = Buffer.from(Array.from({ length: random(64) }, () => random(256)));
    const set = (value: number) =>
      Buffer.concat([piece.subarray(0, at), Buffer.of(value), piece.subarray(at + 1)]);
    const edits = [
      () => set(random(256)),
      () => set(random(2) * 255),
      () => set((piece[at] ?? 0) ^ (1 << random(8))),
      () => piece.subarray(0, at),
      () => Buffer.concat([piece.subarray(0, at), strange, piece.subarray(at)]),
    ];
    changed[which] = edits[random(edits.length)]?.() ?? piece;
  }
  return changed;
}
