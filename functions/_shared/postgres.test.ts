import assert from "node:assert/strict";
import process from "node:process";
import { AppError } from "./errors.ts";
import { createPostgres, type Postgres } from "./postgres.ts";
import { closedPort, listenSilently, startPostgresThatSays } from "./testing.ts";

const one = (postgres: Postgres) => postgres.run((sql) => sql`select 1 as one`);

function assertUnavailable(error: unknown): true {
  assert.ok(error instanceof AppError);
  assert.equal(error.code, "database_unavailable");
  assert.equal(error.status, 503);
  assert.doesNotMatch(error.message, /127\.0\.0\.1/);
  return true;
}

Deno.test("503 where the function was given no database", async () => {
  const postgres = createPostgres({ url: () => undefined });
  await assert.rejects(one(postgres), assertUnavailable);
  await postgres.close();
});

Deno.test("503 when the server refuses", async () => {
  const postgres = createPostgres({ url: () => `postgresql://postgres@127.0.0.1:${closedPort()}/x` });
  await assert.rejects(one(postgres), assertUnavailable);
  await postgres.close();
});

Deno.test("503 when the server does not answer", async () => {
  const silent = listenSilently();
  const url = `postgresql://postgres@127.0.0.1:${silent.port}/x`;
  const postgres = createPostgres({ url: () => url, connectTimeoutSeconds: 0.2 });
  await assert.rejects(one(postgres), assertUnavailable);
  await postgres.close();
  silent.close();
});

Deno.test("503 when a connection falls silent, and the next request has a new one", async () => {
  const server = startPostgresThatSays();
  const url = `postgresql://postgres@127.0.0.1:${server.port}/x`;
  const postgres = createPostgres({ url: () => url, answerTimeoutSeconds: 0.2, connections: 1 });
  await assert.rejects(one(postgres), assertUnavailable);
  await assert.rejects(one(postgres), assertUnavailable);
  assert.equal(server.connections(), 2);
  await postgres.close();
  server.close();
});

Deno.test("503 when a pooler has no connection, whatever its code", async () => {
  const server = startPostgresThatSays("SFATAL\0VFATAL\0CXX000\0M(ECHECKOUTTIMEOUT) no connection\0\0");
  const url = `postgresql://postgres@127.0.0.1:${server.port}/x`;
  const postgres = createPostgres({ url: () => url });
  await assert.rejects(one(postgres), assertUnavailable);
  await postgres.close();
  server.close();
});

Deno.test({
  name: "runs on a real database, and leaves SQL's own errors alone",
  ignore: !process.env["SUPABASE_DB_URL"],
  fn: async () => {
    const postgres = createPostgres({ url: () => process.env["SUPABASE_DB_URL"] });
    assert.deepEqual([...await one(postgres)], [{ one: 1 }]);
    await assert.rejects(postgres.run((sql) => sql`select * from nowhere`), { code: "42P01" });
    await postgres.close();
  },
});
