import assert from "node:assert/strict";
import { AppError } from "../_shared/errors.ts";
import type { Mongo } from "../_shared/mongo.ts";
import type { Postgres } from "../_shared/postgres.ts";
import { closedPort } from "../_shared/testing.ts";
import { monitoredDependencies, type Stores } from "./checks.ts";
import { DependencyDown } from "./dependencies.ts";
import type { Dependency, DependencyName } from "./schemas.ts";

const working: Stores = {
  postgres: { run: () => Promise.resolve() as never, close: async () => {} } satisfies Postgres,
  mongo: { run: () => Promise.resolve() as never, close: async () => {} } satisfies Mongo,
};
const failing = (error: unknown): Stores => ({
  postgres: { ...working.postgres, run: () => Promise.reject(error) },
  mongo: { ...working.mongo, run: () => Promise.reject(error) },
});

const environment = {
  SUPABASE_URL: "http://127.0.0.1:1",
  SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_1"}',
  SUPABASE_SECRET_KEYS: '{"default":"sb_secret_1"}',
  SUPABASE_DB_URL: "postgresql://postgres@127.0.0.1:1/postgres",
  MONGODB_URI: "mongodb://127.0.0.1:1/nectar",
};

/** "ok", "absent", or the code of the failure. */
async function stateOf(name: DependencyName, env: Record<string, string | undefined>, stores = working) {
  const dependency = monitoredDependencies(stores, env).find((candidate) => candidate.name === name);
  if (!dependency?.check) return "absent";
  try {
    await dependency.check(AbortSignal.timeout(20_000));
    return "ok";
  } catch (error) {
    assert.ok(error instanceof DependencyDown);
    return error.code satisfies Dependency["code"];
  }
}

/** A gateway on loopback that notes what it is asked. */
function startGateway(status: number) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(`${request.method} ${pathname} ${request.headers.get("apikey")}`);
    return new Response(request.method === "HEAD" ? null : "{}", { status });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, asked, close: () => server.shutdown() };
}

Deno.test("only MongoDB may be missing", () => {
  const required = monitoredDependencies(working, environment).filter((dependency) => dependency.required);
  assert.deepEqual(required.map(({ name }) => name), ["database", "auth", "rest"]);
});

Deno.test("auth and rest are asked through the gateway, with the keys they take", async () => {
  const gateway = startGateway(200);
  const env = { ...environment, SUPABASE_URL: gateway.url };
  assert.equal(await stateOf("auth", env), "ok");
  assert.equal(await stateOf("rest", env), "ok");
  assert.deepEqual(gateway.asked, ["GET /auth/v1/health sb_publishable_1", "HEAD /rest/v1/ sb_secret_1"]);
  await gateway.close();
});

Deno.test("a gateway that answers with an error is not well", async () => {
  const gateway = startGateway(502);
  const env = { ...environment, SUPABASE_URL: gateway.url };
  assert.equal(await stateOf("auth", env), "unexpected_answer");
  assert.equal(await stateOf("rest", env), "unexpected_answer");
  await gateway.close();
});

Deno.test("a gateway that is away", async () => {
  const env = { ...environment, SUPABASE_URL: `http://127.0.0.1:${closedPort()}` };
  assert.equal(await stateOf("auth", env), "unreachable");
  assert.equal(await stateOf("rest", env), "unreachable");
});

Deno.test("stores that work, are away, or answer with an error of their own", async () => {
  for (const name of ["database", "mongodb"] as const) {
    assert.equal(await stateOf(name, environment), "ok");
    assert.equal(await stateOf(name, environment, failing(new AppError("internal"))), "unreachable");
    assert.equal(
      await stateOf(name, environment, failing(new Error("permission denied"))),
      "unexpected_answer",
    );
  }
});

Deno.test("a function that was not given what it needs says so; MongoDB may be absent", async () => {
  assert.equal(await stateOf("database", { ...environment, SUPABASE_DB_URL: undefined }), "misconfigured");
  assert.equal(await stateOf("database", { ...environment, SUPABASE_DB_URL: "http://x" }), "misconfigured");
  assert.equal(await stateOf("auth", { ...environment, SUPABASE_URL: undefined }), "misconfigured");
  assert.equal(await stateOf("rest", { ...environment, SUPABASE_SECRET_KEYS: "[]" }), "misconfigured");
  assert.equal(await stateOf("mongodb", { ...environment, MONGODB_URI: undefined }), "absent");
});
