import { beforeAll, describe, expect, test } from "vitest";
import { restFixture } from "./fixtures.ts";
import { adminClient, raw, signedInUser, useProject } from "./support.ts";

const project = useProject(restFixture);

const post = (target: string, body: string, headers: Record<string, string> = {}) =>
  raw(project, `/rest/v1/${target}`, {
    method: "POST",
    body,
    headers: { apikey: project.secretKey, ...headers },
  });
const get = (target: string) =>
  raw(project, `/rest/v1/${target}`, { headers: { apikey: project.secretKey } });

describe("the status of an SQLSTATE", () => {
  // The table of PostgREST's documentation, references/errors: HTTP status codes.
  test.each([
    ["08006", 503],
    ["09000", 500],
    ["0L000", 403],
    ["0P000", 403],
    ["21000", 500],
    ["22023", 400],
    ["22P02", 400],
    ["23502", 400],
    ["23503", 409],
    ["23505", 409],
    ["23514", 400],
    ["25000", 500],
    ["25006", 405],
    ["28000", 403],
    ["2D000", 500],
    ["38000", 500],
    ["39000", 500],
    ["3B000", 500],
    ["40001", 500],
    ["40P01", 500],
    ["42501", 403],
    ["42601", 400],
    ["42883", 404],
    ["42P01", 404],
    ["42P17", 500],
    ["53300", 503],
    ["53400", 500],
    ["54001", 500],
    ["55000", 500],
    ["57014", 500],
    ["57P01", 503],
    ["58000", 500],
    ["F0000", 500],
    ["HV000", 500],
    ["P0001", 400],
    ["P0002", 500],
    ["XX000", 500],
    ["PT402", 402],
    ["PT418", 418],
  ])("%s is %i", async (code, status) => {
    const answer = await post("rpc/contract_raise", JSON.stringify({ code }));
    const body = { code, details: "why", hint: "slug_taken", message: "A sentence for a person." };
    expect([answer.status, answer.text]).toEqual([status, JSON.stringify(body)]);
  });

  test("42501 is 401 for who is not signed in", async () => {
    const answer = await post("rpc/contract_raise", '{"code":"42501"}', { apikey: project.publishableKey });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  });

  test("PGRST writes the whole answer", async () => {
    const message = JSON.stringify({
      code: "123",
      message: "Payment required",
      details: "card",
      hint: "pay",
    });
    const detail = JSON.stringify({ status: 402, headers: { "x-powered-by": "nectar" } });
    const answer = await post("rpc/contract_raise", JSON.stringify({ code: "PGRST", message, detail }));
    expect(answer.status).toBe(402);
    expect(answer.json).toEqual({ code: "123", details: "card", hint: "pay", message: "Payment required" });
    expect(answer.headers.get("x-powered-by")).toBe("nectar");
  });

  test("PGRST without JSON is PGRST121", async () => {
    const answer = await post("rpc/contract_raise", '{"code":"PGRST"}');
    expect([answer.status, answer.json.code]).toEqual([500, "PGRST121"]);
  });
});

describe("real violations", () => {
  test.each([
    ["unique", "contract_groups", '{"name":"taken"}', 409, "23505", "Key (name)=(taken) already exists."],
    ["check", "contract_groups", '{"name":"x"}', 400, "23514", /^Failing row contains/],
    ["not null", "contract_groups", '{"name":null}', 400, "23502", /^Failing row contains/],
    [
      "foreign key",
      "contract_items",
      '{"group_id":"00000000-0000-4000-8000-000000000000"}',
      409,
      "23503",
      'Key (group_id)=(00000000-0000-4000-8000-000000000000) is not present in table "contract_groups".',
    ],
    ["enum", "contract_items", '{"mood":"angry"}', 400, "22P02", null],
    ["number", "contract_items", '{"big":"abc"}', 400, "22P02", null],
    ["time", "contract_items", '{"at":"yesterdayish"}', 400, "22007", null],
    ["range", "contract_items", '{"big":99999999999999999999}', 400, "22003", null],
    ["null character", "contract_items", '{"label":"a\\u0000b"}', 400, "22P05", /null|\\u0000/i],
  ])("%s", async (_what, table, body, status, code, details) => {
    if (body.includes("taken")) await post(table, body);
    const answer = await post(table, body);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(Object.keys(answer.json)).toEqual(["code", "details", "hint", "message"]);
    if (details instanceof RegExp) expect(answer.json.details).toMatch(details);
    else expect(answer.json.details).toBe(details);
  });

  test("row security", async () => {
    const { client } = await signedInUser(project);
    const { error, status } = await client.from("contract_private").insert({ id: 1, note: "no" });
    expect(status).toBe(403);
    expect(error).toMatchObject({
      code: "42501",
      details: null,
      hint: null,
      message: 'new row violates row-level security policy for table "contract_private"',
    });
  });

  test("grants, for users and for nobody", async () => {
    const { client } = await signedInUser(project);
    expect((await client.from("contract_private").delete().eq("id", 1)).status).toBe(403);
    const answer = await raw(project, "/rest/v1/contract_items");
    expect([answer.status, answer.json.message]).toEqual([401, "permission denied for table contract_items"]);
  });
});

describe("requests that PostgREST itself refuses", () => {
  test.each([
    ["unknown table", "GET", "contract_itemz", undefined, 404, "PGRST205"],
    ["unknown function", "POST", "rpc/contract_ech", "{}", 404, "PGRST202"],
    ["unknown argument", "POST", "rpc/contract_same", '{"valu":1}', 404, "PGRST202"],
    ["unknown column in the body", "POST", "contract_items", '{"nope":1}', 400, "PGRST204"],
    ["unknown relation", "GET", "contract_items?select=nope(id)", undefined, 400, "PGRST200"],
    ["unknown column in a filter", "GET", "contract_items?nope=eq.1", undefined, 400, "42703"],
    ["unknown column in select", "GET", "contract_items?select=nope", undefined, 400, "42703"],
    ["unknown operator", "GET", "contract_items?id=foo.1", undefined, 400, "PGRST100"],
    ["broken select", "GET", "contract_items?select=id(", undefined, 400, "PGRST100"],
    ["broken or", "GET", "contract_items?or=(id.eq.1", undefined, 400, "PGRST100"],
    ["broken order", "GET", "contract_items?order=id.sideways", undefined, 400, "PGRST100"],
    ["broken JSON", "POST", "contract_items", "{bad", 400, "PGRST102"],
    ["JSON that is no row", "POST", "contract_items", '"text"', 400, "PGRST102"],
    ["rows that are no objects", "POST", "contract_items", "[1,2]", 400, "PGRST102"],
    ["rows with different keys", "POST", "contract_items", '[{"big":1},{"label":"x"}]', 400, "PGRST102"],
    ["aggregates", "GET", "contract_items?select=big.sum()", undefined, 400, "PGRST123"],
    ["another path", "GET", "a/b/c", undefined, 404, "PGRST125"],
  ])("%s", async (_what, method, target, body, status, code) => {
    const options = {
      method,
      headers: { apikey: project.secretKey },
      ...(body === undefined ? {} : { body }),
    };
    const answer = await raw(project, `/rest/v1/${target}`, options);
    expect([answer.status, answer.json?.code]).toEqual([status, code]);
    expect(Object.keys(answer.json)).toEqual(["code", "details", "hint", "message"]);
  });

  test("a schema that is not exposed", async () => {
    const { error, status } = await adminClient(project).schema("auth").from("users").select();
    expect([status, error?.code]).toEqual([406, "PGRST106"]);
  });

  test("a media type that nobody has", async () => {
    const headers = { apikey: project.secretKey, accept: "image/png" };
    const answer = await raw(project, "/rest/v1/contract_items", { headers });
    expect([answer.status, answer.json.code]).toEqual([406, "PGRST107"]);
  });

  test("messages name table and column", async () => {
    expect((await get("contract_itemz")).json.message).toBe(
      "Could not find the table 'public.contract_itemz' in the schema cache",
    );
    expect((await get("contract_itemz")).json.hint).toBe(
      "Perhaps you meant the table 'public.contract_items'",
    );
    expect((await get("contract_items?nope=eq.1")).json.message).toBe(
      "column contract_items.nope does not exist",
    );
    expect((await post("contract_items", '{"nope":1}')).json.message).toBe(
      "Could not find the 'nope' column of 'contract_items' in the schema cache",
    );
  });
});

describe("bad input is never the server's fault", () => {
  beforeAll(() => post("contract_items", '{"id":1}'));

  test.each([
    ["percent-encoding in the path", "GET", "/rest/v1/contract%zzitems", undefined],
    ["percent-encoding in the query", "GET", "/rest/v1/contract_items?label=eq.%zz", undefined],
    ["a null character", "GET", "/rest/v1/contract_items?label=eq.%00", undefined],
    ["half a surrogate", "POST", "/rest/v1/contract_items", '{"label":"\\ud800"}'],
    ["a number out of any range", "POST", "/rest/v1/contract_items", '{"ratio":1e999}'],
    ["__proto__", "POST", "/rest/v1/contract_items", '{"__proto__":{"big":1}}'],
    ["constructor as a column", "GET", "/rest/v1/contract_items?constructor=eq.1", undefined],
    ["deep nesting", "GET", `/rest/v1/contract_items?or=${"(or".repeat(200)}`, undefined],
    ["a method nobody has", "PROPFIND", "/rest/v1/contract_items", undefined],
    ["a scalar for a function", "POST", "/rest/v1/rpc/contract_same", "5"],
    ["an array for a function", "POST", "/rest/v1/rpc/contract_same", '["x"]'],
    ["quotes in a column", "GET", '/rest/v1/contract_items?select="a"b"', undefined],
    ["a function's name with quotes", "POST", '/rest/v1/rpc/x"y', "{}"],
    ["a negative limit", "GET", "/rest/v1/contract_items?limit=-1", undefined],
    ["an update of nothing", "PATCH", "/rest/v1/contract_items?id=eq.1", "null"],
  ])("%s", async (_what, method, target, body) => {
    const headers = { apikey: project.secretKey };
    const answer = await raw(project, target, { method, headers, ...(body === undefined ? {} : { body }) });
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).not.toMatch(/node_modules|\.ts:|\.js:|postgres(ql)?:\/\/|127\.0\.0\.1|Cannot read/);
  });

  test("a body of 11 MB", async () => {
    const answer = await post("contract_items", JSON.stringify({ label: "x".repeat(11 * 1024 * 1024) }));
    expect(answer.status).toBe(413);
  });
});
