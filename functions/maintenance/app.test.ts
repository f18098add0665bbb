import assert from "node:assert/strict";
import { AppError, type ErrorBody } from "../_shared/errors.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import type { Backend, OutboxEntry } from "./backend.ts";
import type { Consumer } from "./consumer.ts";
import type { Job } from "./jobs.ts";
import { report } from "./schemas.ts";

const { keys, publishableKey, secretKey, signToken } = await createTestProject();
const kind = "organization.purged";
const done: Consumer = { kind, ready: () => true, consume: () => Promise.resolve(true) };

function createTestApp(options: {
  tasks?: () => Promise<Record<string, unknown> | undefined>;
  entries?: number;
  consumer?: Partial<Consumer>;
  clock?: () => number;
  jobs?: Job[];
} = {}) {
  const { log, lines } = createTestLog();
  const open: OutboxEntry[] = Array.from({ length: options.entries ?? 0 }, (_, index) => ({
    id: index + 1,
    organization_id: crypto.randomUUID(),
    payload: {},
    attempts: 1,
  }));
  const noted = { completed: [] as number[], failed: [] as [number, string][] };
  const backend: Backend = {
    runTasks: options.tasks ?? (() => Promise.resolve({ delete_expired_invitations: 2 })),
    claim: () => Promise.resolve(open.shift()),
    complete: (id) => Promise.resolve(void noted.completed.push(id)),
    fail: (id, error) => Promise.resolve(void noted.failed.push([id, error])),
  };
  const app = createApp({
    consumers: [{ ...done, ...options.consumer }],
    jobs: options.jobs ?? [],
    connect: () => backend,
    clock: options.clock ?? (() => 0),
    log,
    keys,
  });
  const run = (headers: Record<string, string> = { apikey: secretKey }) =>
    app.request("/maintenance", { method: "POST", headers });
  return { run, lines, noted, open };
}

async function reportOf(response: Response) {
  assert.equal(response.status, 200);
  return report.parse(await response.json());
}

Deno.test("200: every task and every entry is told", async () => {
  const { run, noted } = createTestApp({ entries: 3 });
  assert.deepEqual(await reportOf(await run()), {
    status: "ok",
    skipped: false,
    tasks: [{ name: "delete_expired_invitations", status: "done", count: 2 }],
    outbox: [{ kind, status: "done", completed: 3, failed: 0 }],
    jobs: [],
  });
  assert.deepEqual(noted.completed, [1, 2, 3]);
});

Deno.test("200: a failed task is told by its SQLSTATE, and the outbox is still consumed", async () => {
  const tasks = () =>
    Promise.resolve({ create_audit_partitions: "failed: 42501", delete_done_outbox: 0, odd: "?" });
  const { run, noted } = createTestApp({ tasks, entries: 1 });
  const body = await reportOf(await run());
  assert.equal(body.status, "degraded");
  assert.deepEqual(body.tasks, [
    { name: "create_audit_partitions", status: "failed", sqlstate: "42501" },
    { name: "delete_done_outbox", status: "done", count: 0 },
    { name: "odd", status: "failed" },
  ]);
  assert.deepEqual(noted.completed, [1]);
});

Deno.test("200: beside another run its tasks are left to it, the outbox is not", async () => {
  const { run, noted } = createTestApp({ tasks: () => Promise.resolve(undefined), entries: 1 });
  const body = await reportOf(await run());
  assert.deepEqual([body.status, body.skipped, body.tasks], ["ok", true, []]);
  assert.deepEqual(noted.completed, [1]);
});

Deno.test("200: without the store entries stay open, and the answer says so", async () => {
  const { run, open } = createTestApp({ entries: 2, consumer: { ready: () => false } });
  const body = await reportOf(await run());
  assert.deepEqual(body.outbox, [{ kind, status: "waiting", completed: 0, failed: 0 }]);
  assert.equal(body.status, "ok");
  assert.equal(open.length, 2);
});

Deno.test("200: an entry that fails is put off with its reason, and the next is taken", async () => {
  const consume: Consumer["consume"] = ({ id }) => {
    if (id === 1) return Promise.reject(new AppError("mongodb_unavailable"));
    if (id === 2) return Promise.reject(new Error("no auth at mongodb://me:hunter2@db.internal"));
    return Promise.resolve(true);
  };
  const { run, noted, lines } = createTestApp({ entries: 3, consumer: { consume } });
  const response = await run();
  const text = await response.clone().text();
  const body = await reportOf(response);
  assert.equal(body.status, "degraded");
  assert.deepEqual(body.outbox, [{ kind, status: "failed", completed: 1, failed: 2 }]);
  assert.deepEqual(noted.failed[0], [1, "mongodb_unavailable"]);
  assert.doesNotMatch(text + noted.failed[1]?.[1], /hunter2/);
  assert.equal(lines.filter(({ level }) => level === "warn").length, 2);
});

Deno.test("200: when the time is up the rest is left, neither completed nor failed", async () => {
  let now = 0;
  const consume: Consumer["consume"] = (_, timeIsUp) => {
    now += 15_000;
    return Promise.resolve(!timeIsUp());
  };
  const { run, noted, open } = createTestApp({ entries: 5, consumer: { consume }, clock: () => now });
  const body = await reportOf(await run());
  assert.deepEqual(body.outbox, [{ kind, status: "unfinished", completed: 1, failed: 0 }]);
  assert.deepEqual([noted.completed, noted.failed, open.length], [[1], [], 3]);
});

Deno.test("503: the database is away", async () => {
  const { run } = createTestApp({ tasks: () => Promise.reject(new AppError("database_unavailable")) });
  const response = await run();
  assert.equal(response.status, 503);
  assert.equal((await response.json() as ErrorBody).error.code, "database_unavailable");
});

Deno.test("401: for servers alone", async () => {
  const { run } = createTestApp({ tasks: () => assert.fail("nothing runs") });
  for (
    const headers of [
      {},
      { apikey: publishableKey },
      { apikey: "sb_secret_wrong" },
      { apikey: publishableKey, authorization: `Bearer ${await signToken()}` },
    ]
  ) {
    assert.equal((await run(headers)).status, 401);
  }
});

Deno.test("405: it changes things, so it is not read", async () => {
  const app = createApp({ consumers: [], keys });
  assert.equal((await app.request("/maintenance", { headers: { apikey: secretKey } })).status, 405);
});

Deno.test("200: jobs are told as they went; when one fails, all else is done", async () => {
  const job = (name: string, run: Job["run"], ready = true): Job => ({ name, ready: () => ready, run });
  const jobs = [
    job("first", () => Promise.resolve({ status: "unfinished", count: 3 })),
    job("second", () => Promise.reject(new AppError("mongodb_unavailable"))),
    job("third", () => Promise.resolve({ status: "done", count: 1 })),
    job("fourth", () => Promise.reject(new Error("not reached")), false),
  ];
  const { run, noted } = createTestApp({ entries: 1, jobs });
  const body = await reportOf(await run());
  assert.deepEqual(noted.completed, [1]);
  assert.equal(body.status, "degraded");
  assert.deepEqual(body.jobs, [
    { name: "first", status: "unfinished", count: 3 },
    { name: "second", status: "failed", count: 0 },
    { name: "third", status: "done", count: 1 },
    { name: "fourth", status: "waiting", count: 0 },
  ]);
});

Deno.test("200: what cannot even say whether it is set up fails alone", async () => {
  const ready = () => {
    throw new Error("STRIPE_SECRET_KEY is not valid.");
  };
  const last: Job = {
    name: "last",
    ready: () => true,
    run: () => Promise.resolve({ status: "done", count: 1 }),
  };
  const { run, lines, noted } = createTestApp({
    entries: 1,
    consumer: { ready },
    jobs: [{ ...last, name: "first", ready }, last],
  });
  const { status, outbox, jobs } = await reportOf(await run());
  assert.equal(status, "degraded");
  assert.deepEqual(outbox, [{ kind, status: "failed", completed: 0, failed: 0 }]);
  assert.deepEqual(jobs, [
    { name: "first", status: "failed", count: 0 },
    { name: "last", status: "done", count: 1 },
  ]);
  assert.deepEqual(noted.failed, []);
  assert.match(JSON.stringify(lines), /STRIPE_SECRET_KEY is not valid/);
});
