import { expect, test } from "vitest";
import { createNectarClient, NectarError } from "./index.ts";
import { createFakeFetch } from "./testing.ts";

const url = "http://nectar.test";
const id = "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";

function connect(answers: Parameters<typeof createFakeFetch>[0]) {
  const fake = createFakeFetch(answers);
  const options = { fetch: fake.fetch, auth: { persistSession: false, autoRefreshToken: false } };
  const { organizations } = createNectarClient({ url, publishableKey: "sb_publishable_1", options });
  return { ...fake, organizations };
}

const rpc = (name: string) => `/rest/v1/rpc/${name}`;
const refuse = (status: number, code: string, hint: string | null = null, message = "From SQL.") => ({
  [rpc("leave_organization")]: () => Response.json({ code, message, details: null, hint }, { status }),
});

test("a call's own code comes with its sentence", async () => {
  const { organizations } = connect(refuse(400, "23514", "last_owner", "An organization needs an owner."));
  const { data, error } = await organizations.leave(id);
  expect(data).toBeNull();
  expect(error).toBeInstanceOf(NectarError);
  expect(error).toMatchObject({
    code: "last_owner",
    status: 400,
    message: "An organization needs an owner.",
  });
});

test.each([
  [401, "42501", "missing_credentials"],
  [401, "PGRST303", "invalid_token"],
  [400, "22P02", "invalid_id"],
  [503, "PGRST000", "database_unavailable"],
  [500, "XX000", "unexpected_answer"],
  // a code of another call is none of this one's
  [403, "42501", "unexpected_answer"],
] as const)("what every call may meet has a code of its own: %i %s", async (status, code, expected) => {
  const { error } = await connect(refuse(status, code)).organizations.leave(id);
  expect(error).toMatchObject({ code: expected, status, details: { code } });
});

test("where a permission can be missing, the platform's refusal is that", async () => {
  const { organizations } = connect({
    [rpc("close_organization")]: () =>
      Response.json({ code: "42501", message: "no", hint: null }, { status: 403 }),
  });
  expect((await organizations.close(id)).error?.code).toBe("not_permitted");
});

test("offline, aborted, or a page instead of an answer", async () => {
  expect((await connect({}).organizations.leave(id)).error?.code).toBe("network_error");
  for (const reason of [
    undefined,
    "unmounted",
    new Error("The user left."),
    new DOMException("", "TimeoutError"),
  ]) {
    const signal = AbortSignal.abort(reason);
    expect((await connect({}).organizations.leave(id, { signal })).error?.code).toBe("aborted");
    expect((await connect({}).organizations.members(id, { signal })).error?.code).toBe("aborted");
  }
  const page = { [rpc("leave_organization")]: () => new Response("<h1>Bad gateway</h1>", { status: 502 }) };
  expect((await connect(page).organizations.leave(id)).error?.code).toBe("unexpected_answer");
});

test("an application that one may not change is not found", async () => {
  const { organizations, requests } = connect({ "/rest/v1/applications": () => Response.json([]) });
  expect((await organizations.archiveApplication(id)).error).toMatchObject({
    code: "application_not_found",
    status: 404,
  });
  expect(requests[0]?.method).toBe("PATCH");
});

test("the audit log goes on behind the last entry, until a page is not full", async () => {
  const asked: (string | null)[] = [];
  const pages = [[{ seq: 9 }, { seq: 8 }], [{ seq: 7 }, { seq: 5 }], [{ seq: 1 }]];
  const { organizations } = connect({
    "/rest/v1/audit_log": (request) => {
      asked.push(new URL(request.url).searchParams.get("seq"));
      return Response.json(pages.shift() ?? []);
    },
  });
  const seen: number[] = [];
  for await (const { data } of organizations.auditLog(id, { pageSize: 2, newestFirst: true })) {
    seen.push(...(data ?? []).map(({ seq }) => seq));
  }
  expect(seen).toEqual([9, 8, 7, 5, 1]);
  expect(asked).toEqual([null, "lt.8", "lt.5"]);
});

test("pages larger than the backend gives, and pages of nothing, end where the log ends", async () => {
  const log = Array.from({ length: 1500 }, (_, index) => ({ seq: index + 1 }));
  const { organizations, requests } = connect({
    "/rest/v1/audit_log": ({ url }) => {
      const { searchParams } = new URL(url);
      const after = Number(searchParams.get("seq")?.slice("gt.".length) ?? 0);
      const most = Math.min(1000, Number(searchParams.get("limit")));
      if (requests.length > 5) throw new Error("It does not end.");
      return Response.json(log.slice(after, after + most));
    },
  });
  let count = 0;
  for await (const { data } of organizations.auditLog(id, { pageSize: 5000 })) count += data?.length ?? 0;
  expect(count).toBe(1500);
  for await (const { error } of organizations.auditLog(id, { pageSize: 0 })) expect(error).toBeNull();
});

test("the audit log ends with its first error", async () => {
  const pages = [() => Response.json([{ seq: 1 }])];
  const { organizations } = connect({
    "/rest/v1/audit_log": () =>
      pages.shift()?.() ?? Response.json({ code: "57014", message: "no" }, { status: 500 }),
  });
  const codes: unknown[] = [];
  for await (const { error } of organizations.auditLog(id, { pageSize: 1 })) codes.push(error?.code);
  expect(codes).toEqual([undefined, "unexpected_answer"]);
});

test("an export is a stream, or an error like any other", async () => {
  const path = `/functions/v1/audit/${id}/export`;
  const { organizations, requests } = connect({ [path]: () => new Response('{"seq":1}\n') });
  const { data } = await organizations.exportAudit(id, { format: "csv", from: "2026-11-01T00:00:00Z" });
  expect(data).toBeInstanceOf(ReadableStream);
  expect(await new Response(data).text()).toBe('{"seq":1}\n');
  expect(new URL(requests[0]?.url ?? "").search).toBe("?format=csv&from=2026-11-01T00%3A00%3A00Z");

  const body = { error: { code: "not_permitted", message: "No.", request_id: "r-1" } };
  const refused = connect({
    [path]: () => Response.json(body, { status: 403, headers: { "x-request-id": "r-1" } }),
  });
  expect((await refused.organizations.exportAudit(id)).error).toMatchObject({
    code: "not_permitted",
    requestId: "r-1",
  });
});
