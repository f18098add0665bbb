import { expect, test } from "vitest";
import {
  createNectarClient,
  NectarAbortError,
  NectarError,
  NectarNetworkError,
  toNectarError,
} from "./index.ts";
import { createFakeFetch } from "./testing.ts";

const rpc = "/rest/v1/rpc/create_organization";

function connect(answers: Parameters<typeof createFakeFetch>[0]) {
  const { fetch } = createFakeFetch(answers);
  const auth = { persistSession: false, autoRefreshToken: false };
  return createNectarClient({ url: "http://nectar.test", publishableKey: "k", options: { fetch, auth } })
    .supabase;
}

const call = (supabase: ReturnType<typeof connect>, signal?: AbortSignal) => {
  const request = supabase.rpc("create_organization" as never, { p_name: "Acme", p_slug: "acme" } as never);
  return signal ? request.abortSignal(signal) : request;
};

test("the hint of our SQL is the code", async () => {
  const failed = await call(
    connect({
      [rpc]: () =>
        Response.json(
          { code: "23505", message: "This slug is taken.", details: null, hint: "slug_taken" },
          { status: 409 },
        ),
    }),
  );
  expect(toNectarError(failed)).toMatchObject({
    code: "slug_taken",
    message: "This slug is taken.",
    status: 409,
    details: { sqlstate: "23505" },
  });
});

test("which limit was reached is told as functions tell it", () => {
  const error = { code: "PT402", message: "Three.", details: "applications", hint: "limit_reached" };
  expect(toNectarError({ error, status: 402 })).toMatchObject({
    code: "limit_reached",
    details: { limit: "applications" },
  });
});

test("a hint that is a sentence is PostgreSQL's own: the code is the SQLSTATE", async () => {
  const answer = {
    code: "42883",
    message: "function does not exist",
    details: null,
    hint: "No function matches the given name and argument types.",
  };
  const failed = await call(connect({ [rpc]: () => Response.json(answer, { status: 404 }) }));
  expect(toNectarError(failed)).toMatchObject({ code: "42883", status: 404, details: undefined });
});

test("PostgREST's own codes and details are kept", async () => {
  const answer = {
    code: "PGRST116",
    message: "Cannot coerce",
    details: "The result contains 0 rows",
    hint: null,
  };
  const failed = await call(connect({ [rpc]: () => Response.json(answer, { status: 406 }) }));
  expect(toNectarError(failed)).toMatchObject({
    code: "PGRST116",
    status: 406,
    details: { details: "The result contains 0 rows" },
  });
});

test("the auth server's errors", async () => {
  const supabase = connect({
    "/auth/v1/token": () =>
      Response.json(
        { code: "invalid_credentials", error_code: "invalid_credentials", msg: "Invalid login credentials" },
        { status: 400, headers: { "x-supabase-api-version": "2024-01-01" } },
      ),
  });
  const failed = await supabase.auth.signInWithPassword({ email: "ada@example.com", password: "x" });
  expect(toNectarError(failed)).toMatchObject({ code: "invalid_credentials", status: 400 });
});

test("an unreachable backend", async () => {
  const supabase = connect({});
  expect(toNectarError(await call(supabase))).toBeInstanceOf(NectarNetworkError);
  const signIn = await supabase.auth.signInWithPassword({ email: "ada@example.com", password: "x" });
  expect(toNectarError(signIn)).toBeInstanceOf(NectarNetworkError);
});

test("the caller's abort", async () => {
  const hang = ({ signal }: Request) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const controller = new AbortController();
  const pending = call(connect({ [rpc]: hang }), controller.signal);
  queueMicrotask(() => controller.abort());
  expect(toNectarError(await pending)).toBeInstanceOf(NectarAbortError);
});

test("a page instead of an answer", async () => {
  const failed = await call(connect({ [rpc]: () => new Response("<h1>Bad gateway</h1>", { status: 502 }) }));
  expect(toNectarError(failed)).toMatchObject({ code: "unexpected_answer", status: 502 });
});

test("an error by itself, one of ours, and what is none", () => {
  const bare = { message: "no", code: "23505", hint: "slug_taken", details: "" };
  expect(toNectarError(bare)).toMatchObject({ code: "slug_taken", status: 0 });
  const ours = new NectarError("x", "X.");
  expect(toNectarError(ours)).toBe(ours);
  expect(toNectarError({ error: ours })).toBe(ours);
  expect(toNectarError("boom")).toBeInstanceOf(NectarNetworkError);
});

test("names the rule that a row breaks, and says what to do", () => {
  const error = toNectarError({
    status: 409,
    error: {
      code: "23505",
      message: 'duplicate key value violates unique constraint "application_slug_taken"',
      details: "Key (organization_id, slug)=(1, x) already exists.",
      hint: null,
    },
  });
  expect(error).toMatchObject({
    code: "application_slug_taken",
    status: 409,
    details: { sqlstate: "23505" },
  });
  expect(error.message).toContain("Choose another");
});

test("leaves rules that are not the client's as PostgreSQL names them", () => {
  const message = 'violates foreign key constraint "applications_organization_id_fkey"';
  expect(toNectarError({ status: 409, error: { code: "23503", message } })).toMatchObject({
    code: "23503",
  });
});
