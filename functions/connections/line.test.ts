import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { createAddressGuard, type Host, type Resolve } from "../_shared/address-guard.ts";
import { closedPort } from "../_shared/testing.ts";
import { ConnectionFailure } from "./failures.ts";
import { type Connect, connectByNode, openLine } from "./line.ts";

const host: Host = { kind: "name", text: "db.example.com" };
const running = new AbortController().signal;
const publicly: Resolve = () => Promise.resolve(["8.8.8.8"]);

/** Connects to nowhere, and keeps what it was asked for. */
function dialler(outcome: (address: string) => "connect" | "refuse" | "silence") {
  const dialled: string[] = [];
  const sockets: Socket[] = [];
  const connect: Connect = (address, port) => {
    dialled.push(`${address} ${port}`);
    const socket = new Socket();
    sockets.push(socket);
    queueMicrotask(() => {
      const what = outcome(address);
      if (what === "connect") socket.emit("connect");
      if (what === "refuse") socket.destroy(Object.assign(new Error("canary"), { code: "ECONNREFUSED" }));
    });
    return socket;
  };
  return { connect, dialled, sockets };
}

/** Time that passes when the test says so. */
function standingClock() {
  let now = 0;
  const sleepers: { at: number; wake: () => void }[] = [];
  return {
    clock: () => now,
    sleep: (ms: number) => new Promise<void>((wake) => void sleepers.push({ at: now + ms, wake })),
    async pass(ms: number) {
      now += ms;
      for (const { at, wake } of sleepers) if (at <= now) wake();
      for (let turns = 0; turns < 5; turns++) await turn();
    },
  };
}

const codeOf = (error: unknown) => error instanceof ConnectionFailure ? error.code : error;
/** How a promise stands, without waiting for it. */
function watch(promise: Promise<unknown>) {
  const seen: { state: unknown } = { state: "pending" };
  promise.then(() => seen.state = "connected", (error) => seen.state = codeOf(error));
  return seen;
}

Deno.test("whatever it is that cannot be connected to, it takes the same time", async () => {
  const never = new Promise<string[]>(() => {});
  const cases: [string, Host, number, Resolve, "refuse" | "silence"][] = [
    ["dns_failed", host, 5432, () => Promise.reject(new Error("ENOTFOUND")), "refuse"],
    ["blocked_address", host, 5432, () => Promise.resolve(["10.0.0.1"]), "refuse"],
    ["blocked_address", { kind: "address", text: "127.0.0.1" }, 5432, publicly, "refuse"],
    ["blocked_address", host, 22, publicly, "refuse"],
    ["refused", host, 5432, publicly, "refuse"],
    ["refused", host, 5432, () => Promise.resolve(["8.8.8.8", "8.8.4.4"]), "refuse"],
    ["timeout", host, 5432, publicly, "silence"],
    ["timeout", host, 5432, () => never, "silence"],
  ];
  for (const [code, to, port, resolve, outcome] of cases) {
    const time = standingClock();
    const line = openLine(to, {
      guard: createAddressGuard({ resolve }),
      connect: dialler(() => outcome).connect,
      ...time,
    }, running);
    const attempt = watch(line.dial(port));
    await time.pass(0);
    await time.pass(4999);
    assert.equal(attempt.state, "pending", code);
    await time.pass(1);
    assert.equal(attempt.state, code);
    assert.equal(line.failure?.code, code);
    assert.deepEqual(
      Object.keys(line.failure ?? {}),
      Object.keys(new ConnectionFailure("timeout")),
      "one shape",
    );
  }
});

Deno.test("nothing is dialled that was not checked", async () => {
  for (const found of [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:8.8.8.8"], ["169.254.169.254"]]) {
    const { connect, dialled } = dialler(() => "connect");
    const guard = createAddressGuard({ resolve: () => Promise.resolve(found) });
    const line = openLine(host, { guard, connect, attemptMs: 1 }, running);
    await assert.rejects(line.dial(5432), ConnectionFailure);
    await assert.rejects(line.dial(5432), ConnectionFailure);
    assert.deepEqual(dialled, []);
  }
});

Deno.test("a name that answers differently the second time is not asked again", async () => {
  let asked = 0;
  const { connect, dialled } = dialler(() => "connect");
  const resolve = () => Promise.resolve([asked++ === 0 ? "8.8.8.8" : "127.0.0.1"]);
  const line = openLine(host, { guard: createAddressGuard({ resolve }), connect }, running);
  await line.pin();
  await line.dial(5432);
  await line.dial(5433);
  assert.deepEqual(dialled, ["8.8.8.8 5432", "8.8.8.8 5433"]);
  assert.equal(asked, 1);
  line.hangUp();
});

Deno.test("where a server sends its client is checked as any other place", async () => {
  const { connect, dialled } = dialler(() => "connect");
  const resolve: Resolve = (name) =>
    Promise.resolve(name === "evil.example.com" ? ["10.0.0.1"] : ["8.8.8.8"]);
  const line = openLine(host, { guard: createAddressGuard({ resolve }), connect, attemptMs: 1 }, running);
  for (
    const [to, port] of [
      ["evil.example.com", 11000],
      ["127.0.0.1", 11000],
      ["[::1]", 11000],
      ["127.1", 11000],
      ["node.example.com", 22],
    ] as const
  ) {
    await assert.rejects(line.redirect(to, port), (error) => codeOf(error) === "blocked_address");
  }
  assert.deepEqual(dialled, []);
  await line.redirect("node.example.com", 11000);
  assert.deepEqual(dialled, ["8.8.8.8 11000"]);
  line.hangUp();
});

Deno.test("the next address is tried when one refuses or is silent", async () => {
  const time = standingClock();
  const outcomes = { "8.8.8.8": "silence", "8.8.4.4": "refuse", "1.1.1.1": "connect" } as const;
  const { connect, dialled, sockets } = dialler((address) => outcomes[address as keyof typeof outcomes]);
  const guard = createAddressGuard({ resolve: () => Promise.resolve(Object.keys(outcomes)) });
  const line = openLine(host, { guard, connect, ...time }, running);
  const attempt = watch(line.dial(5432));
  await time.pass(0);
  await time.pass(5000 / 3);
  assert.equal(attempt.state, "connected");
  assert.deepEqual(dialled, ["8.8.8.8 5432", "8.8.4.4 5432", "1.1.1.1 5432"]);
  assert.deepEqual(sockets.map(({ destroyed }) => destroyed), [true, true, false]);
  assert.equal(line.failure, undefined);
  line.hangUp();
  assert.ok(sockets[2]?.destroyed);
});

Deno.test("once it is over, no further address is tried", async () => {
  const gone = new AbortController();
  const time = standingClock();
  const { connect, dialled, sockets } = dialler(() => "silence");
  const guard = createAddressGuard({ resolve: () => Promise.resolve(["8.8.8.8", "8.8.4.4"]) });
  const sleep = (ms: number, signal: AbortSignal) =>
    Promise.race([
      time.sleep(ms),
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    ]);
  const line = openLine(host, { guard, connect, clock: time.clock, sleep }, gone.signal);
  const attempt = watch(line.dial(5432));
  await time.pass(1);
  gone.abort();
  await time.pass(0);
  assert.equal(attempt.state, "timeout");
  await time.pass(10_000);
  assert.deepEqual(dialled, ["8.8.8.8 5432"]);
  assert.ok(sockets[0]?.destroyed);
});

Deno.test("real sockets: an opened network is connected to, a closed one sees nothing", async () => {
  const arrived: Socket[] = [];
  const server = createServer((socket) => void arrived.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const resolve: Resolve = () => Promise.resolve(["127.0.0.1"]);

  const closed = openLine(host, { guard: createAddressGuard({ resolve }), attemptMs: 50 }, running);
  await assert.rejects(closed.dial(port), (error) => codeOf(error) === "blocked_address");
  assert.equal(arrived.length, 0);

  const guard = createAddressGuard({ resolve, allowedNetworks: ["127.0.0.0/8"] });
  const line = openLine(host, { guard }, running);
  const socket = await line.dial(port);
  assert.equal(socket.remoteAddress, "127.0.0.1");
  assert.ok(line.phases.dns !== null && line.phases.tcp !== null);
  while (arrived.length === 0) await turn();
  const left = once(arrived[0]?.resume() as Socket, "close");
  line.hangUp();
  await left;

  server.close();
  // The time of the attempt is up when the system has refused, however long that takes.
  const refused = Promise.withResolvers<void>();
  const nobody = openLine(host, {
    guard,
    connect: (...to) => connectByNode(...to).once("error", () => refused.resolve()),
    sleep: () => refused.promise.then(() => turn()),
  }, running);
  await assert.rejects(nobody.dial(closedPort()), (error) => codeOf(error) === "refused");
});
