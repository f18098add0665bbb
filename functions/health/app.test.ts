import assert from "node:assert/strict";
import type { ErrorBody } from "../_shared/errors.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { version } from "../_shared/version.ts";
import { createApp } from "./app.ts";
import { DependencyDown, type MonitoredDependency } from "./dependencies.ts";
import { health } from "./schemas.ts";

const { keys, publishableKey, secretKey } = await createTestProject();

const works = async () => {};
const breaks = () =>
  Promise.reject(new DependencyDown("unreachable", { cause: new Error("connect db.internal:5432") }));

function createTestApp(checks: Partial<Record<"database" | "mongodb", MonitoredDependency["check"]>> = {}) {
  const { log, lines } = createTestLog();
  const dependencies: MonitoredDependency[] = [
    { name: "database", required: true, check: "database" in checks ? checks.database : works },
    { name: "mongodb", required: false, check: "mongodb" in checks ? checks.mongodb : works },
  ];
  const app = createApp({ dependencies, keys, log, clock: () => 0 });
  return { app, lines };
}

const withSecret = { headers: { apikey: secretKey } };

Deno.test("200: the public learns that functions run, and nothing is asked for it", async () => {
  const check = () => assert.fail("no check for the public");
  const { app } = createTestApp({ database: check, mongodb: check });
  for (const headers of [{}, { apikey: publishableKey }]) {
    const response = await app.request("/health", { headers });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.deepEqual(await response.json(), { status: "ok", version });
  }
});

Deno.test("200: HEAD, for monitors that read no body", async () => {
  const response = await createTestApp().app.request("/health", { method: "HEAD" });
  assert.equal(response.status, 200);
});

Deno.test("200: a server sees every dependency", async () => {
  const response = await createTestApp().app.request("/health", withSecret);
  assert.equal(response.status, 200);
  assert.deepEqual(health.parse(await response.json()), {
    status: "ok",
    version,
    dependencies: [
      { name: "database", status: "ok", latency_ms: 0 },
      { name: "mongodb", status: "ok", latency_ms: 0 },
    ],
  });
});

Deno.test("200: what is absent does not degrade", async () => {
  const response = await createTestApp({ mongodb: undefined }).app.request("/health", withSecret);
  const body = health.parse(await response.json());
  assert.equal(response.status, 200);
  assert.equal(body.status, "ok");
  assert.deepEqual(body.dependencies?.[1], { name: "mongodb", status: "absent", latency_ms: null });
});

Deno.test("200: degraded when something optional is down", async () => {
  const response = await createTestApp({ mongodb: breaks }).app.request("/health", withSecret);
  const body = health.parse(await response.json());
  assert.equal(response.status, 200);
  assert.equal(body.status, "degraded");
  assert.deepEqual(body.dependencies?.[1], {
    name: "mongodb",
    status: "down",
    latency_ms: 0,
    code: "unreachable",
  });
});

Deno.test("503: something required is down; the answer names no host, the log does", async () => {
  const { app, lines } = createTestApp({ database: breaks });
  const response = await app.request("/health", withSecret);
  assert.equal(response.status, 503);
  const text = await response.text();
  assert.equal(health.parse(JSON.parse(text)).status, "degraded");
  assert.doesNotMatch(text, /db\.internal/);
  assert.equal(lines[0]?.["dependency"], "database");
  assert.match(JSON.stringify(lines[0]), /db\.internal/);
});

Deno.test("401: an invalid key is not taken for the public", async () => {
  for (const apikey of ["sb_secret_wrong", "sb_publishable_wrong", "x"]) {
    const response = await createTestApp().app.request("/health", { headers: { apikey } });
    assert.equal(response.status, 401);
    assert.equal((await response.json() as ErrorBody).error.code, "invalid_api_key");
  }
});

Deno.test("404 and 405", async () => {
  const { app } = createTestApp();
  assert.equal((await app.request("/health/x")).status, 404);
  const response = await app.request("/health", { method: "POST" });
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, HEAD");
});
