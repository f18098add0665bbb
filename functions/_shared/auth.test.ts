import assert from "node:assert/strict";
import { createFunction } from "./app.ts";
import { authenticate, isServer, recognizeServer } from "./auth.ts";
import type { ErrorBody } from "./errors.ts";
import { createTestLog, createTestProject } from "./testing.ts";

const project = await createTestProject();
const { keys, publishableKey, secretKey, signToken } = project;

function createTestApp() {
  const { log, lines } = createTestLog();
  const app = createFunction({ name: "doors", log });
  app.get("/user", authenticate("user", keys), (c) => c.text(c.var.supabaseContext.userClaims?.id ?? ""));
  app.get("/secret", authenticate("secret", keys), (c) => c.text(c.var.supabaseContext.authKeyName ?? ""));
  app.get("/none", authenticate("none", keys), (c) => c.text(c.var.supabaseContext.authMode));
  app.get("/either", recognizeServer(keys), (c) => c.text(String(isServer(c.var.supabaseContext))));
  return {
    lines,
    get: (path: string, headers: Record<string, string> = {}) => app.request(`/doors${path}`, { headers }),
  };
}

async function assertRefused(response: Response, code: string) {
  assert.equal(response.status, 401);
  const { error } = await response.json() as ErrorBody;
  assert.equal(error.code, code);
  assert.ok(!JSON.stringify(error).includes("@supabase"), "the library's own text is not shown");
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

Deno.test("user: a signed-in person passes", async () => {
  const id = crypto.randomUUID();
  const response = await createTestApp().get("/user", {
    ...bearer(await signToken({ sub: id })),
    apikey: publishableKey,
  });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), id);
});

Deno.test("user: 401 without a token, and with a key instead of one", async () => {
  const { get } = createTestApp();
  await assertRefused(await get("/user"), "missing_credentials");
  await assertRefused(await get("/user", { apikey: publishableKey }), "missing_credentials");
  await assertRefused(await get("/user", { apikey: secretKey }), "missing_credentials");
  await assertRefused(
    await get("/user", { ...bearer(publishableKey), apikey: publishableKey }),
    "missing_credentials",
  );
  await assertRefused(await get("/user", { authorization: "Basic bWU6bWU=" }), "missing_credentials");
});

Deno.test("user: 401 for a token that is expired, forged, malformed, or not a person's", async () => {
  const { get } = createTestApp();
  const stranger = await createTestProject();
  const [header, payload] = (await signToken()).split(".");
  const tokens = {
    expired: await signToken({}, Math.floor(Date.now() / 1000) - 60),
    "of another project": await stranger.signToken(),
    unsigned: `${btoa('{"alg":"none"}')}.${payload}.`,
    "with its signature cut": `${header}.${payload}.`,
    nonsense: "abc",
    "of the service role": await signToken({ role: "service_role" }),
    "of a database role": await signToken({ role: "postgres" }),
    "without a user": await signToken({ sub: undefined }),
  };
  for (const [what, token] of Object.entries(tokens)) {
    await assertRefused(await get("/user", bearer(token)), "invalid_token");
    assert.ok(what);
  }
});

Deno.test("user: the keys come from the platform's environment", async () => {
  const environment = {
    SUPABASE_URL: keys.url,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify(keys.publishableKeys),
    SUPABASE_SECRET_KEYS: JSON.stringify(keys.secretKeys),
    SUPABASE_JWKS: JSON.stringify(keys.jwks),
  };
  const app = createFunction({ name: "doors", log: () => {} });
  app.get("/user", authenticate("user"), (c) => c.text("in"));
  const ask = async () => await app.request("/doors/user", { headers: bearer(await signToken()) });

  for (const name of Object.keys(environment)) Deno.env.delete(name);
  assert.equal((await ask()).status, 500, "without them nobody can be told apart");
  for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
  assert.equal((await ask()).status, 200);
  for (const name of Object.keys(environment)) Deno.env.delete(name);
});

Deno.test("secret: any of the project's secret keys passes", async () => {
  const { get } = createTestApp();
  assert.equal(await (await get("/secret", { apikey: secretKey })).text(), "default");
  assert.equal(await (await get("/secret", { apikey: "sb_secret_rotated" })).text(), "rotated");
});

Deno.test("secret: 401 for no key, a wrong one, a publishable one, and a person", async () => {
  const { get } = createTestApp();
  await assertRefused(await get("/secret"), "missing_credentials");
  await assertRefused(await get("/secret", { apikey: "sb_secret_wrong" }), "invalid_api_key");
  await assertRefused(await get("/secret", { apikey: publishableKey }), "invalid_api_key");
  await assertRefused(await get("/secret", bearer(await signToken())), "missing_credentials");
});

Deno.test("none: everybody passes", async () => {
  const { get } = createTestApp();
  assert.equal(await (await get("/none")).text(), "none");
  assert.equal(await (await get("/none", bearer("abc"))).text(), "none");
});

Deno.test("recognizeServer: the public passes as such, a server as such, a wrong key does not pass", async () => {
  const { get } = createTestApp();
  assert.equal(await (await get("/either")).text(), "false");
  assert.equal(await (await get("/either", { apikey: publishableKey })).text(), "false");
  assert.equal(await (await get("/either", bearer(await signToken()))).text(), "false");
  assert.equal(await (await get("/either", { apikey: secretKey })).text(), "true");
  await assertRefused(await get("/either", { apikey: "sb_secret_wrong" }), "invalid_api_key");
  await assertRefused(await get("/either", { apikey: "sb_publishable_wrong" }), "invalid_api_key");
});

Deno.test("a backend without keys is our fault, and says so only in the log", async () => {
  const { log, lines } = createTestLog();
  const app = createFunction({ name: "doors", log });
  app.get("/secret", authenticate("secret", { ...keys, secretKeys: {} }), (c) => c.text("in"));
  const response = await app.request("/doors/secret", { headers: { apikey: secretKey } });
  assert.equal(response.status, 500);
  assert.equal((await response.json() as ErrorBody).error.code, "internal");
  assert.match(JSON.stringify(lines), /NO_KEYS_CONFIGURED|secret/);
});

Deno.test("no credential reaches the log", async () => {
  const { get, lines } = createTestApp();
  const token = await signToken();
  await get("/user", { ...bearer(token), apikey: secretKey });
  await get("/user", { ...bearer(`${token}x`), apikey: secretKey });
  await get("/secret", { apikey: "sb_secret_canary" });
  const text = JSON.stringify(lines);
  assert.equal(lines.length, 3);
  for (const secret of [token, secretKey, "canary"]) assert.ok(!text.includes(secret));
});
