import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the ports that systems give to outgoing connections (Linux from 32,768, macOS and Windows from 49,152): there are
// many of those at any moment, and each could take the port before it is listened on.
const FIRST = 10_000;
const LAST = 32_767;

const given = new Set<number>();

/** A TCP port on 127.0.0.1 that is free right now, another one at each call. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1);
    if (given.has(port)) continue;
    given.add(port);
    if (!(await portProblem(port))) return port;
  }
}

/** Why nobody can listen on the port now (`EADDRINUSE`, `EACCES`); undefined when one can. */
export async function portProblem(port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(undefined)));
  });
}
