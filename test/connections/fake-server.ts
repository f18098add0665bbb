import { createServer, type Socket } from "node:net";

/** A TCP server for a test's own protocol, which knows when all of its clients have gone. */
export async function startFakeServer(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  let whenIdle: (() => void)[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size > 0) return;
      for (const settle of whenIdle) settle();
      whenIdle = [];
    });
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    idle: () =>
      sockets.size === 0
        ? Promise.resolve()
        : new Promise<void>((resolve) => {
            whenIdle.push(resolve);
          }),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
