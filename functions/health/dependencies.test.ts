import assert from "node:assert/strict";
import { type Check, checkDependencies, DependencyDown } from "./dependencies.ts";
import type { DependencyName } from "./schemas.ts";

const noFailure = (name: DependencyName, error: unknown) => assert.fail(`${name}: ${error}`);
const hang: Check = () => new Promise(() => {});

Deno.test("latency is what the clock says", async () => {
  const times = [1000, 1007.4];
  const clock = () => times.shift() ?? 0;
  const states = await checkDependencies(
    [{ name: "database", required: true, check: async () => {} }, {
      name: "mongodb",
      required: false,
      check: undefined,
    }],
    { budgetMs: 1000, clock, onFailure: noFailure },
  );
  assert.deepEqual(states, [
    { name: "database", status: "ok", latency_ms: 7 },
    { name: "mongodb", status: "absent", latency_ms: null },
  ]);
});

Deno.test("all are checked at once", async () => {
  const bothStarted = Promise.withResolvers<void>();
  let started = 0;
  const check: Check = () => {
    if (++started === 2) bothStarted.resolve();
    return bothStarted.promise;
  };
  const states = await checkDependencies(
    [{ name: "auth", required: true, check }, { name: "rest", required: true, check }],
    { budgetMs: 5000, clock: Date.now, onFailure: noFailure },
  );
  assert.deepEqual(states.map(({ status }) => status), ["ok", "ok"]);
});

Deno.test("what hangs is cut off, and told so by its signal", async () => {
  let aborted = false;
  const check: Check = (signal) => {
    signal.addEventListener("abort", () => aborted = true);
    return hang(signal);
  };
  const states = await checkDependencies([{ name: "rest", required: true, check }], {
    budgetMs: 5,
    clock: () => 0,
    onFailure: () => {},
  });
  assert.deepEqual(states, [{ name: "rest", status: "down", latency_ms: 0, code: "timeout" }]);
  assert.ok(aborted);
});

Deno.test("a failure is told with its cause, and reported by its code alone", async () => {
  const failures: unknown[] = [];
  const thrown = [new DependencyDown("misconfigured"), new Error("refused by db.internal")];
  const states = await checkDependencies(
    thrown.map((error) => ({ name: "auth", required: true, check: () => Promise.reject(error) })),
    { budgetMs: 1000, clock: () => 0, onFailure: (_, error) => failures.push(error) },
  );
  assert.deepEqual(states.map(({ code }) => code), ["misconfigured", "unreachable"]);
  assert.deepEqual(failures, thrown);
});
