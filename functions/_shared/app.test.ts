import { createRoute, z } from "@hono/zod-openapi";
import assert from "node:assert/strict";
import { createFunction } from "./app.ts";
import { AppError, type ErrorBody } from "./errors.ts";
import { createTestLog } from "./testing.ts";

const item = z.object({ name: z.string().min(1), parts: z.array(z.object({ count: z.int() })).optional() });

function createTestApp({ maxBodyBytes }: { maxBodyBytes?: number } = {}) {
  const { log, lines } = createTestLog();
  let now = 1_700_000_000_000;
  const clock = () => now;
  const app = createFunction({ name: "things", log, clock, ...(maxBodyBytes && { maxBodyBytes }) });
  const ok = { 200: { description: "ok" } };
  app.openapi(createRoute({ method: "get", path: "/", responses: ok }), (c) => c.text("root"));
  app.openapi(
    createRoute({
      method: "get",
      path: "/{id}",
      request: {
        params: z.object({ id: z.uuid() }),
        query: z.object({ limit: z.coerce.number().max(10).optional() }),
      },
      responses: ok,
    }),
    (c) => {
      now += 12;
      c.set("organizationId", "org-1");
      return c.text(c.req.valid("param").id);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: "/",
      request: { body: { required: true, content: { "application/json": { schema: item } } } },
      responses: ok,
    }),
    (c) => c.text(c.req.valid("json").name),
  );
  app.get("/fails/:how", (c) => {
    const how = c.req.param("how");
    if (how === "known") throw new AppError("database_unavailable", { headers: { "retry-after": "5" } });
    if (how === "returned") return c.json({ found: false }, 404);
    throw new Error("driver: postgres://me:hunter2@10.0.0.1 refused");
  });
  return { app, lines };
}

async function errorOf(response: Response, status: number): Promise<ErrorBody["error"]> {
  assert.equal(response.status, status);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  const { error } = await response.json() as ErrorBody;
  assert.equal(error.request_id, response.headers.get("x-request-id"));
  return error;
}

const json = (body: string): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body,
});

Deno.test("routes stand under the function's name, as on the platform", async () => {
  const { app } = createTestApp();
  const response = await app.request("/things");
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "root");
});

Deno.test("a request id is made, or taken when it is well formed", async () => {
  const { app } = createTestApp();
  const idFor = async (offered?: string) => {
    const headers = new Headers(offered === undefined ? {} : { "x-request-id": offered });
    return (await app.request("/things", { headers })).headers.get("x-request-id") ?? "";
  };
  const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;
  assert.match(await idFor(), uuid);
  assert.equal(await idFor("trace-12345678"), "trace-12345678");
  for (const refused of ["short", 'x"},"level":"x', "a b c d e f g h", "x".repeat(129)]) {
    assert.match(await idFor(refused), uuid);
  }
});

Deno.test("404: no such route", async () => {
  const { app } = createTestApp();
  assert.equal((await errorOf(await app.request("/things/a/b/c"), 404)).code, "not_found");
  assert.equal((await errorOf(await app.request("/elsewhere"), 404)).code, "not_found");
});

Deno.test("405: the route exists, the method does not", async () => {
  const { app } = createTestApp();
  const response = await app.request("/things", { method: "DELETE" });
  assert.equal(response.headers.get("allow"), "GET, HEAD, POST");
  assert.equal((await errorOf(response, 405)).code, "method_not_allowed");
});

Deno.test("a 404 that a handler answers itself is left alone", async () => {
  const { app } = createTestApp();
  const response = await app.request("/things/fails/returned");
  assert.equal(response.status, 404);
  assert.deepEqual(await response.json(), { found: false });
});

Deno.test("400: every value that is not valid, with its place and path", async () => {
  const { app } = createTestApp();
  const inBody = await errorOf(
    await app.request("/things", json('{"name":"","parts":[{"count":1.5}]}')),
    400,
  );
  assert.equal(inBody.code, "validation_failed");
  assert.deepEqual(
    (inBody.details?.["issues"] as { in: string; path: unknown[] }[]).map((issue) => [issue.in, issue.path]),
    [["body", ["name"]], ["body", ["parts", 0, "count"]]],
  );
  const inQuery = await errorOf(await app.request(`/things/${crypto.randomUUID()}?limit=11`), 400);
  assert.equal((inQuery.details?.["issues"] as { in: string }[])[0]?.in, "query");
  const inPath = await errorOf(await app.request("/things/1"), 400);
  assert.equal((inPath.details?.["issues"] as { in: string }[])[0]?.in, "path");
});

Deno.test("400: a thousand faults are cut to fifty", async () => {
  const { app } = createTestApp();
  const body = JSON.stringify({ name: "x", parts: Array(1000).fill({ count: "no" }) });
  const error = await errorOf(await app.request("/things", json(body)), 400);
  assert.equal((error.details?.["issues"] as unknown[]).length, 50);
});

Deno.test("400: malformed, empty or missing JSON", async () => {
  const { app } = createTestApp();
  for (const body of ["{", "", "\u0000", '{"name":"a"}}']) {
    assert.equal((await errorOf(await app.request("/things", json(body)), 400)).code, "malformed_body");
  }
  for (const body of ["null", "[]", "1"]) {
    assert.equal((await errorOf(await app.request("/things", json(body)), 400)).code, "validation_failed");
  }
});

Deno.test("415: another content type", async () => {
  const { app } = createTestApp();
  const response = await app.request("/things", {
    method: "POST",
    headers: { "content-type": "text/xml" },
    body: "<a/>",
  });
  assert.equal((await errorOf(response, 415)).code, "unsupported_media_type");
});

Deno.test("413: a body over the limit, announced or streamed", async () => {
  const { app } = createTestApp({ maxBodyBytes: 20 });
  const announced = await app.request("/things", {
    ...json("x".repeat(21)),
    headers: { "content-type": "application/json", "content-length": "21" },
  });
  assert.equal((await errorOf(announced, 413)).code, "payload_too_large");

  const chunks = ReadableStream.from(["x".repeat(15), "x".repeat(15)]).pipeThrough(new TextEncoderStream());
  const streamed = await app.request(
    new Request("http://localhost/things", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: chunks,
    }),
  );
  const error = await errorOf(streamed, 413);
  assert.deepEqual(error.details, { max_bytes: 20 });

  const fits = await app.request("/things", json('{"name":"a"}'));
  assert.equal(fits.status, 200);
});

Deno.test("400: a body that breaks off", async () => {
  const { app, lines } = createTestApp();
  const body = new ReadableStream({ pull: (controller) => controller.error(new TypeError("reset")) });
  const response = await app.request(new Request("http://localhost/things", { ...json(""), body }));
  assert.equal((await errorOf(response, 400)).code, "malformed_body");
  assert.equal(lines[0]?.["level"], "info");
});

Deno.test("a known error keeps its status, code and headers", async () => {
  const { app } = createTestApp();
  const response = await app.request("/things/fails/known");
  assert.equal(response.headers.get("retry-after"), "5");
  assert.equal((await errorOf(response, 503)).code, "database_unavailable");
});

Deno.test("500: an unexpected error is logged and not shown", async () => {
  const { app, lines } = createTestApp();
  const response = await app.request("/things/fails/badly");
  const error = await errorOf(response, 500);
  assert.equal(error.code, "internal");
  assert.ok(!JSON.stringify(error).includes("driver"));

  const line = lines.at(-1) ?? {};
  assert.equal(line["level"], "error");
  assert.equal(line["request_id"], error.request_id);
  assert.match(JSON.stringify(line["error"]), /driver: postgres:/);
  assert.ok(!JSON.stringify(line).includes("hunter2"));
});

Deno.test("one log line for each request, without its query or path values", async () => {
  const { app, lines } = createTestApp();
  await app.request("/things/7a3b6a53-5b8c-4e4b-8f3e-2f3c4d5e6f70?limit=3", {
    headers: { "x-request-id": "trace-12345678", authorization: "Bearer canary", apikey: "canary" },
  });
  assert.equal(lines.length, 1);
  assert.deepEqual(lines[0], {
    level: "info",
    time: "2023-11-14T22:13:20.000Z",
    request_id: "trace-12345678",
    function: "things",
    organization: "org-1",
    method: "GET",
    route: "/things/:id",
    status: 200,
    ms: 12,
  });

  await app.request("/things/nowhere/at/all?token=canary");
  assert.equal(lines[1]?.["route"], null);
  assert.equal(lines[1]?.["code"], "not_found");
  assert.ok(!JSON.stringify(lines).includes("canary"));
});

Deno.test("browsers of any origin may call, errors included", async () => {
  const { app } = createTestApp();
  const preflight = await app.request("/things", {
    method: "OPTIONS",
    headers: {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,apikey,content-type,x-client-info",
    },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
  assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /x-client-info/);

  const refused = await app.request("/things/none/at/all", { headers: { origin: "https://app.example" } });
  assert.equal(refused.status, 404);
  assert.equal(refused.headers.get("access-control-allow-origin"), "*");
  assert.match(refused.headers.get("access-control-expose-headers") ?? "", /x-request-id/);
});
