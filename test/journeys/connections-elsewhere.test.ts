// The function on the platform's Deno, and the same function on another host that does its tests.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { createFunctionsClient, type FunctionsClient } from "../../src/client/functions.ts";
import { denoBinary, hostedDenoBinary } from "../../src/stack/functions/deno.ts";
import { type Instance, startInstance } from "../../src/stack/functions/instance.ts";
import { repository } from "../../src/stack/repository.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");
const address = new URL(project.databaseUrl);
const canary = "canary-Passw0rd-9be2";
const masterKeys = `test:${randomBytes(32).toString("base64")}`;
const instances: Instance[] = [];
const lines: Record<"near" | "far", string[]> = { near: [], far: [] };

afterAll(() => Promise.all(instances.map(({ kill }) => kill())));

async function start(name: "near" | "far", deno: string, environment: Record<string, string>) {
  const jwks = await fetch(`${project.url}/auth/v1/.well-known/jwks.json`);
  const instance = await startInstance({
    name: "connections",
    directory: repository("functions"),
    deno,
    environment: {
      SUPABASE_URL: project.url,
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: project.publishableKey }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: project.secretKey }),
      SUPABASE_JWKS: await jwks.text(),
      CONNECTIONS_MASTER_KEYS: masterKeys,
      CONNECTIONS_UNVERIFIED_TLS: "1",
      ...environment,
    },
    onSpawn: () => {},
    onLine: (line) => lines[name].push(line),
    bootLimitMs: 60_000,
  });
  instances.push(instance);
  return `http://127.0.0.1:${instance.port}`;
}

describe.skipIf(address.hostname !== "127.0.0.1")("tests on another host", () => {
  let ada: Person;
  let near: FunctionsClient;
  let farUrl: string;
  let organization: string;
  let shop: string;
  const theirs = {
    engine: "postgres",
    host: address.hostname,
    port: Number(address.port),
    database_name: "no_such_database",
    username: "nobody_here",
    password: canary,
    tls_mode: "disable",
  } as const;

  beforeAll(async () => {
    // Only the other host may reach the databases: what succeeds there is refused here.
    farUrl = await start("far", denoBinary(), { CONNECTIONS_ALLOWED_NETWORKS: "127.0.0.0/8" });
    const nearUrl = await start("near", hostedDenoBinary() ?? denoBinary(), {
      CONNECTIONS_URL: `${farUrl}/connections`,
    });
    ada = await signUp(project, "Ada");
    organization = must(await ada.organizations.create({ name: "Far", slug: uniqueSlug("far") })).id;
    near = createFunctionsClient({
      url: project.url,
      publishableKey: project.publishableKey,
      accessToken: async () => (await ada.supabase.auth.getSession()).data.session?.access_token ?? null,
      // Past the gateway, to the function itself.
      fetch: async (input) => {
        const request = new Request(input);
        return fetch(request.url.replace(`${project.url}/functions/v1`, nearUrl), {
          method: request.method,
          headers: request.headers,
          ...(request.method === "GET" ? {} : { body: await request.arrayBuffer() }),
        });
      },
    });
    const created = await near.POST("/connections", {
      body: { organization_id: organization, name: "Shop", ...theirs },
    });
    shop = must(created).id;
  });

  test("what was kept here is opened and tried there, and noted", async () => {
    const tested = must(await near.POST("/connections/{id}/test", { params: { path: { id: shop } } }));
    expect(tested).toMatchObject({ ok: false, code: "login_failed" });
    const kept = must(await near.GET("/connections/{id}", { params: { path: { id: shop } } }));
    expect(kept.last_test).toEqual(tested);
    const adHoc = must(
      await near.POST("/connections/test", { body: { organization_id: organization, ...theirs } }),
    );
    expect(adHoc).toMatchObject({ ok: false, code: "login_failed" });
  });

  test("its errors are answered as they are", async () => {
    const strange = await near.POST("/connections/test", {
      body: { organization_id: organization, ...theirs, host: "127.1" },
    });
    expect(strange.error).toMatchObject({ code: "validation_failed", status: 400 });
    const unknown = await near.POST("/connections/{id}/test", {
      params: { path: { id: organization } },
    });
    expect(unknown.error).toMatchObject({ code: "connection_not_found", status: 404 });
  });

  test("it lets nobody in on our word: the caller's own token counts there", async () => {
    const stranger = await fetch(`${farUrl}/connections/test`, {
      method: "POST",
      headers: { "x-nectar-forwarded": "1", "content-type": "application/json" },
      body: JSON.stringify({ organization_id: organization, ...theirs }),
    });
    expect(stranger.status).toBe(401);
  });

  test("each wrote a line about it, under one request id, and the password in none", async () => {
    const ids = (name: "near" | "far") =>
      lines[name]
        .filter((line) => line.includes('"route":"/connections/:id/test"'))
        .map((line) => JSON.parse(line).request_id);
    expect(ids("far").length).toBeGreaterThan(0);
    expect(ids("near")).toEqual(ids("far"));
    expect([...lines.near, ...lines.far].join("\n")).not.toContain("canary");
  });

  test("when it is gone, that is the answer", async () => {
    await instances[0]?.kill();
    const { error } = await near.POST("/connections/{id}/test", { params: { path: { id: shop } } });
    expect(error).toMatchObject({ code: "tester_unavailable", status: 503 });
  });
});
