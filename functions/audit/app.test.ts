import assert from "node:assert/strict";
import { AppError, type ErrorBody } from "../_shared/errors.ts";
import { createTestLog, createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import type { Backend, Range } from "./backend.ts";
import type { ExportedEntry } from "./formats.ts";

const { keys, publishableKey, secretKey, signToken } = await createTestProject();
const organizationId = crypto.randomUUID();
const headers = { authorization: `Bearer ${await signToken()}`, apikey: publishableKey };

const entryOf = (seq: number): ExportedEntry => ({
  seq,
  occurred_at: "2026-11-25T10:00:00+00:00",
  actor_kind: "user",
  actor_id: null,
  on_behalf_of: null,
  action: "applications.insert",
  object_id: "x",
  before: null,
  after: { name: "=1" },
  request_id: null,
  ip: null,
  previous_hash: "00",
  hash: "ff",
});

function createTestApp({ entries = 3, ...changes }: Partial<Backend> & { entries?: number } = {}) {
  const { log, lines } = createTestLog();
  const logged: [Range, string][] = [];
  const pages: number[] = [];
  const backend: Backend = {
    logExport: (range, format) => {
      logged.push([range, format]);
      return Promise.resolve(entries);
    },
    page: (_, after, upTo, limit) => {
      pages.push(after);
      const count = Math.min(limit, upTo - after);
      return Promise.resolve(Array.from({ length: count }, (_, n) => entryOf(after + n + 1)));
    },
    ...changes,
  };
  const app = createApp({ connect: () => backend, log, keys });
  const get = (query = "", given: Record<string, string> = headers) =>
    app.request(`/audit/${organizationId}/export${query}`, { headers: given });
  return { app, get, lines, logged, pages };
}

Deno.test("200: NDJSON, in order, after the export itself was logged", async () => {
  const { get, logged } = createTestApp({ entries: 2500 });
  const response = await get("?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00%2B01:00");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/x-ndjson");
  assert.equal(
    response.headers.get("content-disposition"),
    `attachment; filename="audit-${organizationId}.ndjson"`,
  );
  const lines = (await response.text()).trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).seq), Array.from({ length: 2500 }, (_, n) => n + 1));
  const range = { organizationId, from: "2026-11-01T00:00:00Z", to: "2026-12-01T00:00:00+01:00" };
  assert.deepEqual(logged, [[range, "ndjson"]]);
});

Deno.test("200: CSV with its header, for a log without entries too", async () => {
  const text = await (await createTestApp({ entries: 2 }).get("?format=csv")).text();
  assert.equal(text.split("\r\n").length, 4);
  assert.match(text, /^seq,occurred_at,/);
  assert.match(await (await createTestApp({ entries: 0 }).get("?format=csv")).text(), /^seq,[^\n]*\r\n$/);
  assert.equal(await (await createTestApp({ entries: 0 }).get()).text(), "");
});

Deno.test("a page is read when the one before was taken, and none after the reader left", async () => {
  let aborted = false;
  const { get, pages } = createTestApp({ entries: 10_000 });
  const reader = (await get()).body?.getReader();
  assert.deepEqual(pages, [0]);
  await reader?.read();
  await reader?.read();
  assert.ok(pages.length <= 3, `${pages.length} pages`);
  const before = pages.length;
  await reader?.cancel().then(() => aborted = true);
  assert.ok(aborted);
  assert.equal(pages.length, before);
});

Deno.test("a log of exactly whole pages ends", async () => {
  const { get, pages } = createTestApp({ entries: 2000 });
  assert.equal((await (await get()).text()).split("\n").length, 2001);
  assert.deepEqual(pages, [0, 1000, 2000]);
});

Deno.test("a failure in between breaks the file off, and is logged", async () => {
  const page: Backend["page"] = (_, after) =>
    after === 0
      ? Promise.resolve(Array.from({ length: 1000 }, (_, n) => entryOf(n + 1)))
      : Promise.reject(new AppError("database_unavailable"));
  const { get, lines } = createTestApp({ page });
  await assert.rejects(async () => await (await get()).text());
  assert.ok(lines.some(({ level }) => level === "error"));
});

Deno.test("403: another's organization or none, and nothing is read", async () => {
  const logExport = () => Promise.reject(new AppError("not_permitted"));
  const { get } = createTestApp({ logExport, page: () => assert.fail("not read") });
  const response = await get();
  assert.equal(response.status, 403);
  assert.equal((await response.json() as ErrorBody).error.code, "not_permitted");
});

Deno.test("503: the database is away before the first byte", async () => {
  const { get } = createTestApp({ page: () => Promise.reject(new AppError("database_unavailable")) });
  assert.equal((await get()).status, 503);
});

Deno.test("400: what is no range, format or id", async () => {
  const { app, get } = createTestApp({ logExport: () => assert.fail("not logged") });
  for (const query of ["?format=xml", "?from=yesterday", "?to=2026-13-01T00:00:00Z", "?from=2026-11-01"]) {
    assert.equal((await get(query)).status, 400, query);
  }
  assert.equal((await app.request("/audit/acme/export", { headers })).status, 400);
});

Deno.test("401: for people who are signed in", async () => {
  const { get } = createTestApp({ logExport: () => assert.fail("not logged") });
  for (const given of [{}, { apikey: secretKey }, { authorization: "Bearer x" }]) {
    assert.equal((await get("", given as Record<string, string>)).status, 401);
  }
});
