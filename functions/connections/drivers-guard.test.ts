// Whatever a driver is told, it connects through the guard or not at all: a listener at the place that it must not
// reach sees nobody.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { createAddressGuard, type Resolve } from "../_shared/address-guard.ts";
import { engineNames } from "./engine.ts";
import { engines } from "./engines/engines.ts";
import { ConnectionFailure } from "./failures.ts";
import type { Connect } from "./line.ts";
import { target } from "./testing.ts";
import { createTester, type Target } from "./tester.ts";

/** Hears who comes, and hangs up. */
async function listen() {
  let visitors = 0;
  const server = createServer((socket) => {
    visitors++;
    socket.on("error", () => {}).destroy();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { port, visitors: () => visitors, close: () => void server.close() };
}

const refuse: Connect = () => {
  const socket = new Socket();
  queueMicrotask(() => socket.destroy(Object.assign(new Error("refused"), { code: "ECONNREFUSED" })));
  return socket;
};

async function codes(
  to: Partial<Target>,
  resolve: Resolve,
  options: { connect?: Connect; open?: boolean } = {},
) {
  const tester = createTester({
    engines,
    guard: () => createAddressGuard({ resolve, allowedNetworks: options.open ? ["127.0.0.0/8"] : [] }),
    runtime: { tlsInsideTds: true },
    // What is refused takes all of it; what is let through, no longer than it takes.
    attemptMs: options.open ? 5000 : 20,
    ...(options.connect && { connect: options.connect }),
  });
  const found: string[] = [];
  const given = { ...target, ...to } as Target;
  for (const attempt of [tester.test, tester.introspect]) {
    await attempt(given, new AbortController().signal).then(
      () => found.push("ok"),
      (error) => {
        assert.ok(error instanceof ConnectionFailure, String(error));
        found.push(error.code);
      },
    );
  }
  return found;
}

// Drivers keep timers of their own for a moment.
const ofDrivers = { sanitizeOps: false, sanitizeResources: false };

for (const engine of engineNames) {
  Deno.test(
    `${engine}: an address that is blocked sees nobody, by name or by number`,
    ofDrivers,
    async () => {
      const place = await listen();
      const here: Resolve = () => Promise.resolve(["127.0.0.1"]);
      for (const tls_mode of engines[engine].tlsModes) {
        for (const host of ["127.0.0.1", "localhost", "db.example.com", "::ffff:7f00:1"]) {
          const found = await codes({ engine, host, port: place.port, tls_mode }, here);
          assert.deepEqual(found, ["blocked_address", "blocked_address"], `${tls_mode} ${host}`);
        }
      }
      assert.equal(place.visitors(), 0);
      // It would have heard them.
      await codes({ engine, host: "db.example.com", port: place.port }, here, { open: true });
      assert.ok(place.visitors() > 0);
      place.close();
    },
  );

  Deno.test(
    `${engine}: the driver neither resolves nor dials: a name that leads to us elsewhere does not lead there`,
    ofDrivers,
    async () => {
      const place = await listen();
      const dialled = new Set<string>();
      const connect: Connect = (address, port) => {
        dialled.add(address);
        return refuse(address, port);
      };
      // The system says that localhost is here; the guard was told that it is somewhere else.
      const elsewhere: Resolve = () => Promise.resolve(["8.8.8.8"]);
      for (const tls_mode of engines[engine].tlsModes) {
        const found = await codes({ engine, host: "localhost", port: place.port, tls_mode }, elsewhere, {
          connect,
        });
        assert.deepEqual(found, ["refused", "refused"], tls_mode);
      }
      assert.deepEqual([[...dialled], place.visitors()], [["8.8.8.8"], 0]);
      place.close();
    },
  );

  Deno.test(
    `${engine}: a name that answers differently the second time is asked once`,
    ofDrivers,
    async () => {
      const place = await listen();
      let asked = 0;
      const dialled: string[] = [];
      const connect: Connect = (address, port) => {
        dialled.push(address);
        return refuse(address, port);
      };
      const rebind: Resolve = () => Promise.resolve([asked++ % 2 === 0 ? "8.8.8.8" : "127.0.0.1"]);
      await codes({ engine, host: "rebind.example.com", port: place.port }, rebind, { connect });
      assert.deepEqual(
        [dialled[0], asked, place.visitors()],
        ["8.8.8.8", 2, 0],
        "once for each call: the second one is blocked",
      );
      assert.equal(dialled.includes("127.0.0.1"), false);
      place.close();
    },
  );
}
