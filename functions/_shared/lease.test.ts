import assert from "node:assert/strict";
import type { Decision, Decisions, Refusal, Request } from "./decisions.ts";
import { createLeases } from "./lease.ts";

const decision = (code: "allowed" | Refusal): Decision => ({
  allowed: code === "allowed",
  code,
  organizationId: "organization",
  applicationId: "application",
  keyId: "key",
  environment: "live",
  limit: 1000,
  remaining: 500,
  resetAt: null,
  retryAfter: null,
  rateLimit: null,
  rateRemaining: null,
});

const ask = (context: Request["context"] = {}, hash = 1): Request => ({
  hash: new Uint8Array([hash]),
  scope: "applications.read",
  metric: "api_requests",
  context,
});

/** A database with so much left, which keeps what it is asked, and a clock that is moved by hand. */
function createWorld({ left = 1_000_000, restricted = false, seconds = 2 } = {}) {
  const world = {
    left,
    now: 0,
    restricted,
    refuse: undefined as Refusal | undefined,
    calls: [] as string[],
    open: new Map<string, number>(),
    timers: [] as { at: number; callback: () => void }[],
    move(ms: number) {
      world.now += ms;
      const due = world.timers.filter(({ at }) => at <= world.now);
      world.timers = world.timers.filter(({ at }) => at > world.now);
      for (const { callback } of due) callback();
    },
  };
  const decisions: Decisions = {
    authorize(_, cost) {
      world.calls.push(`authorize ${cost}`);
      if (world.refuse || world.left < cost) {
        return Promise.resolve(decision(world.refuse ?? "quota_exceeded"));
      }
      world.left -= cost;
      return Promise.resolve(decision("allowed"));
    },
    async lease(_, amount) {
      world.calls.push(`lease ${amount}`);
      await Promise.resolve();
      if (world.refuse || world.left === 0) {
        return { decision: decision(world.refuse ?? "quota_exceeded"), lease: undefined };
      }
      const granted = Math.min(amount, world.left);
      world.left -= granted;
      const id = `lease ${world.calls.length}`;
      world.open.set(id, granted);
      return { decision: decision("allowed"), lease: { id, granted, seconds, restricted: world.restricted } };
    },
    giveBack(id, spent) {
      world.calls.push(`return ${spent}`);
      const granted = world.open.get(id);
      assert.ok(granted !== undefined && spent <= granted, `${id} ${spent}`);
      world.open.delete(id);
      world.left += granted - spent;
      return Promise.resolve(true);
    },
  };
  const leases = createLeases({
    decisions,
    clock: () => world.now,
    after: (ms, callback) => void world.timers.push({ at: world.now + ms, callback }),
  });
  return { world, leases };
}

Deno.test("one call for many decisions, and what is left is returned", async () => {
  const { world, leases } = createWorld();
  for (let n = 0; n < 5; n++) assert.equal((await leases.decide(ask(), 1)).allowed, true);
  assert.deepEqual(world.calls, ["lease 8"]);
  assert.equal(world.left, 1_000_000 - 8);
  world.move(2000);
  assert.deepEqual(world.calls, ["lease 8", "return 5"]);
  assert.equal(world.left, 1_000_000 - 5);
});

Deno.test("a key in use is asked for in growing blocks: 10,000 decisions are some thirty calls", async () => {
  const { world, leases } = createWorld();
  for (let n = 0; n < 10_000; n++) await leases.decide(ask(), 1);
  await leases.close();
  assert.equal(world.left, 990_000);
  assert.ok(world.calls.length <= 30, `${world.calls.length}`);
});

Deno.test("whoever comes at once shares a block, and no more than there is is spent", async () => {
  const { world, leases } = createWorld({ left: 100 });
  const decided = await Promise.all(Array.from({ length: 250 }, () => leases.decide(ask(), 1)));
  assert.equal(decided.filter(({ allowed }) => allowed).length, 100);
  assert.deepEqual(new Set(decided.map(({ code }) => code)), new Set(["allowed", "quota_exceeded"]));
  await leases.close();
  assert.equal(world.left, 0);
  assert.equal(world.open.size, 0);
});

Deno.test("a block is not spent after its end, and a revoked key is refused from then on", async () => {
  const { world, leases } = createWorld();
  await leases.decide(ask(), 1);
  world.refuse = "revoked";
  world.move(1999);
  assert.equal((await leases.decide(ask(), 1)).code, "allowed");
  world.move(1);
  assert.equal((await leases.decide(ask(), 1)).code, "revoked");
  assert.equal((await leases.decide(ask(), 1)).code, "revoked");
});

Deno.test("a block that the database ends sooner, with its month, is not spent after that", async () => {
  const { world, leases } = createWorld({ seconds: 0.5 });
  await leases.decide(ask(), 1);
  world.move(499);
  await leases.decide(ask(), 1);
  world.move(1);
  assert.deepEqual(world.calls, ["lease 8", "return 2"]);
});

Deno.test("a block whose timer is late is not spent either", async () => {
  const { world, leases } = createWorld();
  await leases.decide(ask(), 1);
  world.now += 2000;
  world.refuse = "revoked";
  assert.equal((await leases.decide(ask(), 1)).code, "revoked");
  assert.equal(world.open.size, 0);
});

Deno.test("a restricted key has a block for each address", async () => {
  const { world, leases } = createWorld({ restricted: true });
  await leases.decide(ask({ ip: "192.0.2.1" }), 1);
  await leases.decide(ask({ ip: "192.0.2.1" }), 1);
  world.refuse = "forbidden_ip";
  assert.equal((await leases.decide(ask({ ip: "198.51.100.1" }), 1)).code, "forbidden_ip");
  assert.equal((await leases.decide(ask({ ip: "192.0.2.1" }), 1)).code, "allowed");
});

Deno.test("of those who wait for one block, each of another address is asked for on its own", async () => {
  const { leases } = createWorld({ restricted: true });
  const decided = await Promise.all(["1", "2", "3"].map((ip) => leases.decide(ask({ ip }), 1)));
  assert.deepEqual(decided.map(({ code }) => code), ["allowed", "allowed", "allowed"]);
});

Deno.test("an unrestricted key has one block for all addresses, and keys do not share", async () => {
  const { world, leases } = createWorld();
  for (const ip of ["192.0.2.1", "192.0.2.2"]) await leases.decide(ask({ ip, request_id: ip }), 1);
  await leases.decide(ask({}, 2), 1);
  assert.deepEqual(world.calls, ["lease 8", "lease 8"]);
});

Deno.test("a block is for one workflow, which it is written down for", async () => {
  const { world, leases } = createWorld();
  for (const workflow_id of ["w1", "w2", "w1"]) await leases.decide(ask({ workflow_id }), 1);
  assert.deepEqual(world.calls, ["lease 8", "lease 8"]);
});

Deno.test("however many wait, and whatever they cost: no block is too large for the database", async () => {
  const { world, leases } = createWorld({ left: 10_000_000 });
  await Promise.all(Array.from({ length: 1001 }, () => leases.decide(ask(), 1000)));
  assert.equal((await leases.decide(ask(), 2_000_000)).code, "allowed");
  await leases.close();
  assert.equal(world.left, 10_000_000 - 1_001_000 - 2_000_000);
  const leased = world.calls.flatMap((call) => /^lease (\d+)/.exec(call)?.[1] ?? []).map(Number);
  assert.equal(Math.max(...leased), 1_000_000);
});

Deno.test("a cost that a block does not hold is decided on its own", async () => {
  const { world, leases } = createWorld({ left: 20 });
  assert.equal((await leases.decide(ask(), 25)).code, "quota_exceeded");
  assert.equal((await leases.decide(ask(), 12)).code, "allowed");
  await leases.close();
  assert.equal(world.left, 8);
});

Deno.test("a key that falls idle is asked for less", async () => {
  const { world, leases } = createWorld();
  for (let n = 0; n < 9; n++) await leases.decide(ask(), 1);
  world.move(2000);
  await leases.decide(ask(), 1);
  assert.deepEqual(world.calls, ["lease 8", "return 8", "lease 16", "return 1", "lease 8"]);
});

Deno.test("a key that stays idle is forgotten, and begins anew", async () => {
  const { world, leases } = createWorld();
  for (let n = 0; n < 100; n++) await leases.decide(ask(), 1);
  world.move(2000);
  world.move(2000);
  world.calls.length = 0;
  await leases.decide(ask(), 1);
  assert.deepEqual(world.calls, ["lease 8"]);
});

Deno.test("a lease that cannot be returned is told of, and nothing breaks", async () => {
  const failures: unknown[] = [];
  const leases = createLeases({
    decisions: {
      authorize: () => Promise.resolve(decision("allowed")),
      lease: () =>
        Promise.resolve({
          decision: decision("allowed"),
          lease: { id: "x", granted: 8, seconds: 2, restricted: false },
        }),
      giveBack: () => Promise.reject(new Error("away")),
    },
    after: () => {},
    onFailure: (error) => failures.push(error),
  });
  await leases.decide(ask(), 1);
  await leases.close();
  assert.equal(failures.length, 1);
});

Deno.test("a database that is away is an error for everybody who waits, and asked again by the next", async () => {
  let away = true;
  const leases = createLeases({
    decisions: {
      authorize: () => Promise.reject(new Error("away")),
      lease: () =>
        away ? Promise.reject(new Error("away")) : Promise.resolve({
          decision: decision("allowed"),
          lease: { id: "x", granted: 8, seconds: 2, restricted: false },
        }),
      giveBack: () => Promise.resolve(true),
    },
    after: () => {},
  });
  const decided = await Promise.allSettled([1, 2, 3].map(() => leases.decide(ask(), 1)));
  assert.deepEqual(decided.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
  away = false;
  assert.equal((await leases.decide(ask(), 1)).allowed, true);
});
