import { expect, test } from "vitest";
import { createNectarClient, NectarAbortError, NectarError, NectarNetworkError } from "./index.ts";
import { createFakeFetch, fakeToken } from "./testing.ts";

const url = "http://nectar.test";
const publishableKey = "sb_publishable_1";
const health = "/functions/v1/health";
const healthy = () => Response.json({ status: "ok", version: "1" });

type Answers = Parameters<typeof createFakeFetch>[0];

function connect(answers: Answers, accessToken?: () => Promise<string | null>) {
  const fake = createFakeFetch(answers);
  const auth = { persistSession: false, autoRefreshToken: false };
  const nectar = createNectarClient({
    url,
    publishableKey,
    options: { fetch: fake.fetch, auth, ...(accessToken && { accessToken }) },
  });
  return { ...fake, nectar };
}

test("a function's answer comes as data", async () => {
  const { nectar } = connect({ [health]: healthy });
  const { data, error, response } = await nectar.functions.GET("/health");
  expect(error).toBeNull();
  expect(data).toEqual({ status: "ok", version: "1" });
  expect(response?.status).toBe(200);
});

test("the publishable key goes along, and no token when nobody is signed in", async () => {
  const { nectar, requests } = connect({ [health]: healthy });
  await nectar.functions.GET("/health");
  expect(requests[0]?.headers.get("apikey")).toBe(publishableKey);
  expect(requests[0]?.headers.has("authorization")).toBe(false);
});

test("headers of the call win: a server may send its secret key", async () => {
  const { nectar, requests } = connect({ [health]: healthy }, async () => "token");
  await nectar.functions.GET("/health", {
    headers: { apikey: "sb_secret_1", authorization: "Bearer other" },
  });
  expect(requests[0]?.headers.get("apikey")).toBe("sb_secret_1");
  expect(requests[0]?.headers.get("authorization")).toBe("Bearer other");
});

test("the session's token goes along: after sign-in, after a refresh, not after sign-out", async () => {
  const tokens = [fakeToken({ n: 1 }), fakeToken({ n: 2 })];
  const issued = [...tokens];
  const { nectar, at } = connect({
    [health]: healthy,
    "/auth/v1/token": () =>
      Response.json({
        access_token: issued.shift(),
        refresh_token: "r",
        token_type: "bearer",
        expires_in: 3600,
        user: { id: "u" },
      }),
    "/auth/v1/logout": () => new Response(null, { status: 204 }),
  });

  await nectar.supabase.auth.signInWithPassword({ email: "ada@example.com", password: "x" });
  await nectar.functions.GET("/health");
  await nectar.supabase.auth.refreshSession();
  await nectar.functions.GET("/health");
  await nectar.supabase.auth.signOut();
  await nectar.functions.GET("/health");

  expect(at(health).map(({ headers }) => headers.get("authorization"))).toEqual([
    `Bearer ${tokens[0]}`,
    `Bearer ${tokens[1]}`,
    null,
  ]);
});

test("a session that has expired is refreshed before the call", async () => {
  const past = Math.floor(Date.now() / 1000) - 10;
  const issued = [fakeToken({ n: 1 }, past), fakeToken({ n: 2 })];
  const fresh = issued[1];
  const { nectar, at } = connect({
    [health]: healthy,
    "/auth/v1/token": () =>
      Response.json({
        access_token: issued[0],
        refresh_token: "r",
        token_type: "bearer",
        expires_in: 3600,
        expires_at: issued.shift() === fresh ? past + 3600 : past,
        user: { id: "u" },
      }),
  });
  await nectar.supabase.auth.signInWithPassword({ email: "ada@example.com", password: "x" });
  await nectar.functions.GET("/health");
  expect(at(health)[0]?.headers.get("authorization")).toBe(`Bearer ${fresh}`);
});

test("an access token of another source is asked for each time, for tables and functions", async () => {
  let count = 0;
  const { nectar, requests } = connect(
    { [health]: healthy, "/rest/v1/organizations": () => Response.json([]) },
    async () => `token-${++count}`,
  );
  await nectar.functions.GET("/health");
  await nectar.functions.GET("/health");
  await nectar.supabase.from("organizations" as never).select();
  const sent = requests.map(({ headers }) => headers.get("authorization"));
  expect(sent).toEqual([1, 2, 3].map(() => expect.stringMatching(/^Bearer token-\d$/)));
  expect(new Set(sent).size).toBe(3);
});

test("a function's error comes as an error with all it says", async () => {
  const details = { issues: [{ in: "body", path: ["name"], message: "Too short" }] };
  const { nectar } = connect({
    [health]: () =>
      Response.json(
        { error: { code: "validation_failed", message: "Not valid.", details, request_id: "r-1" } },
        { status: 400, headers: { "x-request-id": "r-1" } },
      ),
  });
  const { data, error, response } = await nectar.functions.GET("/health");
  expect(data).toBeNull();
  expect(error).toBeInstanceOf(NectarError);
  expect(error).toMatchObject({
    code: "validation_failed",
    message: "Not valid.",
    status: 400,
    requestId: "r-1",
    details,
  });
  expect(response?.status).toBe(400);
});

test.each([
  [
    "the platform's own error",
    Response.json({ code: "BOOT_ERROR", message: "Function failed to start" }, { status: 503 }),
  ],
  ["a report with an error status", Response.json({ status: "degraded", version: "1" }, { status: 503 })],
  ["a proxy's page", new Response("<h1>Bad gateway</h1>", { status: 502 })],
  ["nothing at all", new Response(null, { status: 500 })],
])("an answer in another shape is unexpected: %s", async (_, answer) => {
  const { nectar } = connect({ [health]: () => answer.clone() });
  const { error } = await nectar.functions.GET("/health");
  expect(error).toMatchObject({ code: "unexpected_answer", status: answer.status });
});

test("the body of an unexpected answer is kept", async () => {
  const { nectar } = connect({ [health]: () => Response.json({ status: "degraded" }, { status: 503 }) });
  const { error } = await nectar.functions.GET("/health");
  expect(error?.details).toEqual({ status: "degraded" });
});

test("a success that is not JSON is unexpected too", async () => {
  const { nectar } = connect({ [health]: () => new Response("<html>") });
  const { error } = await nectar.functions.GET("/health");
  expect(error).toMatchObject({ code: "unexpected_answer" });
});

test("an unreachable backend is a network error", async () => {
  const { nectar } = connect({});
  const { data, error, response } = await nectar.functions.GET("/health");
  expect([data, response]).toEqual([null, null]);
  expect(error).toBeInstanceOf(NectarNetworkError);
  expect(error).toMatchObject({ code: "network_error", status: 0 });
  expect(error?.cause).toBeInstanceOf(TypeError);
});

const hang = ({ signal }: Request) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("the caller's abort is told apart, before and during the request", async () => {
  const { nectar } = connect({ [health]: hang });
  const controller = new AbortController();
  const pending = nectar.functions.GET("/health", { signal: controller.signal });
  controller.abort("enough");
  const { error } = await pending;
  expect(error).toBeInstanceOf(NectarAbortError);
  expect(error).toMatchObject({ code: "aborted", status: 0, cause: "enough" });

  const late = await nectar.functions.GET("/health", { signal: controller.signal });
  expect(late.error?.code).toBe("aborted");
});

test("a timeout is an abort whose cause says so", async () => {
  const { nectar } = connect({ [health]: hang });
  const { error } = await nectar.functions.GET("/health", { signal: AbortSignal.timeout(1) });
  expect(error?.code).toBe("aborted");
  expect(error?.cause).toMatchObject({ name: "TimeoutError" });
});

test("a path below a prefix is kept, a closing slash is not doubled", async () => {
  const { fetch, requests } = createFakeFetch({ "/nectar/functions/v1/health": healthy });
  const nectar = createNectarClient({ url: `${url}/nectar/`, publishableKey, options: { fetch } });
  expect((await nectar.functions.GET("/health")).error).toBeNull();
  expect(requests).toHaveLength(1);
});

test("settings that cannot work are refused at once", () => {
  expect(() => createNectarClient({ url: "nectar", publishableKey })).toThrow(/url is not a URL/);
  expect(() => createNectarClient({ url, publishableKey: "sb_secret_1" })).toThrow(
    /publishableKey is a secret key/,
  );
});

test("a success without the answer that was promised is an error; an empty file is an empty stream", async () => {
  const { nectar } = connect({
    "/functions/v1/health": () => new Response(null),
    "/functions/v1/workflows/o": () => Response.json(null),
    "/functions/v1/workflows/o/w": () => new Response(null, { status: 204 }),
    "/functions/v1/artifacts/o/a/content": () => new Response("", { headers: { "content-length": "0" } }),
  });
  expect((await nectar.functions.GET("/health")).error).toMatchObject({
    code: "unexpected_answer",
    status: 200,
  });
  for await (const { error } of nectar.workflows.list("o")) expect(error?.code).toBe("unexpected_answer");
  expect((await nectar.workflows.delete("o", "w")).error).toBeNull();
  const { data } = await nectar.artifacts.download("o", "a");
  expect(await new Response(data as ReadableStream | null).text()).toBe("");
  expect(data).toBeInstanceOf(ReadableStream);
});
