import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { createAddressGuard } from "../_shared/address-guard.ts";
import type { ConnectionRequest, Engine, EngineName, TestSuccess } from "./engine.ts";
import { ConnectionFailure } from "./failures.ts";
import { fakeEngine, fakeSnapshot, target } from "./testing.ts";
import { createTester, type TesterOptions } from "./tester.ts";

const running = new AbortController().signal;
const found: TestSuccess = {
  server: { product: "PostgreSQL", version: "17.0", edition: null },
  tls: null,
  phases: { tls: null, login: 1, query: 2 },
};

function createTest(engine: Partial<Engine>, options: Partial<TesterOptions> = {}) {
  const unknown: unknown[] = [];
  const dialled: string[] = [];
  const one = fakeEngine(engine);
  const tester = createTester({
    engines: { mssql: one, postgres: one, mysql: one } as Record<EngineName, Engine>,
    guard: () => createAddressGuard({ resolve: () => Promise.resolve(["8.8.8.8"]) }),
    runtime: { tlsInsideTds: true },
    attemptMs: 5,
    connect: (address, port) => {
      dialled.push(`${address} ${port}`);
      const socket = new Socket();
      queueMicrotask(() => socket.emit("connect"));
      return socket;
    },
    onUnknown: (name, error) => void unknown.push({ name, error }),
    ...options,
  });
  return { tester, unknown, dialled };
}
const failureOf = async (work: Promise<unknown>) => {
  try {
    await work;
    return "none";
  } catch (error) {
    assert.ok(error instanceof ConnectionFailure, String(error));
    return error.code;
  }
};

Deno.test("an engine is told all it needs, and what it found is the answer", async () => {
  const asked: ConnectionRequest[] = [];
  const { tester, dialled } = createTest({
    test: async (request) => {
      asked.push(request);
      await request.dial();
      return found;
    },
  });
  const { value, dns, tcp, total } = await tester.test({ ...target, port: 6432 }, running);
  assert.deepEqual(value, found);
  assert.ok(dns !== null && tcp !== null && total >= dns + tcp);
  assert.deepEqual(dialled, ["8.8.8.8 6432"]);
  const [request] = asked;
  assert.equal(request?.host, target.host);
  assert.equal(request?.password, target.password);
  assert.deepEqual(request?.tls, { mode: "verify-full", ca: undefined });
  assert.ok((request?.timeLeft() ?? 0) > 0);
});

Deno.test("without a port: the engine's own, or that of the named instance", async () => {
  const dial: Partial<Engine> = {
    defaultPort: 1433,
    test: async ({ dial }) => {
      await dial();
      return found;
    },
  };
  const plain = createTest(dial);
  await plain.tester.test({ ...target, port: null }, running);
  assert.deepEqual(plain.dialled, ["8.8.8.8 1433"]);

  const asked: unknown[] = [];
  const named = { ...target, port: null, options: { instance: "SQLEXPRESS" } };
  const instance = (port: number | undefined) =>
    createTest({
      ...dial,
      findPort: ({ address, options }) => {
        asked.push({ address, options });
        return Promise.resolve(port);
      },
    });
  const at50000 = instance(50_000);
  await at50000.tester.test(named, running);
  assert.deepEqual(at50000.dialled, ["8.8.8.8 50000"]);
  assert.deepEqual(asked, [{ address: "8.8.8.8", options: { instance: "SQLEXPRESS" } }]);

  // What answers may be anybody: the port it names is a port like any other.
  const at25 = instance(25);
  assert.equal(await failureOf(at25.tester.test(named, running)), "blocked_address");
  assert.deepEqual(at25.dialled, []);
  assert.equal(await failureOf(instance(undefined).tester.test(named, running)), "timeout");
});

Deno.test("an instance is looked for at every address: one that leads nowhere does not end it", async () => {
  let ended = 0;
  const { tester, dialled } = createTest({
    test: async ({ dial }) => {
      await dial();
      return found;
    },
    findPort: ({ address, signal }) =>
      address.includes(":")
        ? new Promise((resolve) => signal.addEventListener("abort", () => resolve(void ended++ as undefined)))
        : Promise.resolve(50_000),
  }, { guard: () => createAddressGuard({ resolve: () => Promise.resolve(["2a00:1450::1", "8.8.8.8"]) }) });
  await tester.test({ ...target, port: null, options: { instance: "X" } }, running);
  assert.deepEqual(dialled, ["2a00:1450::1 50000"]);
  assert.equal(ended, 1, "nobody is asked any longer");
});

Deno.test("an instance is looked for only at a checked address", async () => {
  let asked = 0;
  const { tester } = createTest(
    { findPort: () => Promise.resolve(void asked++) },
    { guard: () => createAddressGuard({ resolve: () => Promise.resolve(["127.0.0.1"]) }) },
  );
  const named = { ...target, port: null, options: { instance: "X" } };
  assert.equal(await failureOf(tester.test(named, running)), "blocked_address");
  assert.equal(asked, 0);
});

Deno.test("what was wrong with the connection wins over what a driver makes of it", async () => {
  const { tester } = createTest({
    test: async ({ dial }) => {
      await dial().catch(() => {});
      throw new ConnectionFailure("login_failed");
    },
  }, { guard: () => createAddressGuard({ resolve: () => Promise.resolve(["10.0.0.1"]) }) });
  assert.equal(await failureOf(tester.test(target, running)), "blocked_address");
});

Deno.test("an error that nobody knows: its name is logged, its words are not", async () => {
  const { tester, unknown } = createTest({
    test: () => {
      const cause = Object.assign(new Error("canary-cause"), { code: "EPROTO" });
      throw Object.assign(new TypeError(`canary at ${target.host}`, { cause }), { code: "canary words" });
    },
  });
  assert.equal(await failureOf(tester.test(target, running)), "unsupported_server");
  assert.deepEqual(unknown, [{
    name: "postgres",
    error: { name: "TypeError", cause: { name: "Error", code: "EPROTO" } },
  }]);
});

Deno.test("a guard that is set up wrongly refuses", async () => {
  const { tester, dialled } = createTest({}, {
    guard: () => createAddressGuard({ allowedNetworks: ["everything"] }),
  });
  await assert.rejects(tester.test(target, running), TypeError);
  assert.deepEqual(dialled, []);
});

Deno.test("a host that is none is not looked up, whoever wrote it", async () => {
  const { tester, dialled } = createTest({});
  for (const host of ["127.1", "[::1]", "a..b", "x:1"]) {
    assert.equal(await failureOf(tester.test({ ...target, host }, running)), "dns_failed");
  }
  assert.deepEqual(dialled, []);
});

Deno.test("an engine that hangs is ended in time, and its socket with it", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const arrived = once(server, "connection");
  const hang = async ({ dial }: ConnectionRequest) => {
    await dial();
    return await new Promise<never>(() => {});
  };
  const { tester } = createTest({ test: hang, introspect: hang }, {
    guard: () =>
      createAddressGuard({ resolve: () => Promise.resolve(["127.0.0.1"]), allowedNetworks: ["127.0.0.0/8"] }),
    connect: undefined as never,
    attemptMs: 30_000,
    testMs: 2000,
    introspectionMs: 30_000,
  });
  const testing = failureOf(tester.test({ ...target, port }, running));
  const [socket] = await arrived as [Socket];
  const left = once(socket.resume(), "close");
  assert.equal(await testing, "timeout");
  await left;

  const gone = new AbortController();
  const again = once(server, "connection");
  const introspecting = failureOf(tester.introspect({ ...target, port }, gone.signal));
  const [second] = await again as [Socket];
  const closed = once(second.resume(), "close");
  gone.abort();
  assert.equal(await introspecting, "timeout");
  await closed;
  server.close();
});

Deno.test("an introspection has its limits", async () => {
  let given: unknown;
  const { tester } = createTest({
    introspect: (_, limits) => {
      given = limits;
      return Promise.resolve(fakeSnapshot);
    },
  });
  assert.equal((await tester.introspect(target, running)).value, fakeSnapshot);
  assert.deepEqual(given, { tables: 2000, columns: 50_000, bytes: 4 * 1024 * 1024 });
});
