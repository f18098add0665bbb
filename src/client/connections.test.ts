import { expect, test } from "vitest";
import { createNectarClient } from "./index.ts";
import { createFakeFetch, fakeToken } from "./testing.ts";

const id = "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";
const base = "/functions/v1/connections";
const target = {
  engine: "mssql",
  host: "db.example.com",
  database_name: "shop",
  username: "sa",
  password: "secret",
} as const;

function connect(answers: Parameters<typeof createFakeFetch>[0]) {
  const fake = createFakeFetch(answers);
  const token = fakeToken({});
  const options = { fetch: fake.fetch, accessToken: async () => token };
  const { connections } = createNectarClient({
    url: "http://nectar.test",
    publishableKey: "sb_publishable_1",
    options,
  });
  return { ...fake, connections };
}

test("each call goes to its route", async () => {
  const answer = () => Response.json({});
  const { connections, requests } = connect({
    [base]: answer,
    [`${base}/test`]: answer,
    [`${base}/${id}`]: (request) =>
      request.method === "DELETE" ? new Response(null, { status: 204 }) : answer(),
    [`${base}/${id}/test`]: answer,
    [`${base}/${id}/introspect`]: answer,
  });
  const outcomes = [
    await connections.create(id, { name: "Shop", ...target }),
    await connections.list(id),
    await connections.get(id),
    await connections.update(id, { name: "Store" }),
    await connections.test(id),
    await connections.testSettings(id, target),
    await connections.introspect(id),
    await connections.remove(id),
  ];
  for (const { error } of outcomes) expect(error).toBeNull();
  const seen = requests.map(({ method, url }) => `${method} ${url.replace(/^.*\/connections/, "")}`);
  expect(seen).toEqual([
    "POST ",
    `GET ?organization_id=${id}`,
    `GET /${id}`,
    `PATCH /${id}`,
    `POST /${id}/test`,
    "POST /test",
    `POST /${id}/introspect`,
    `DELETE /${id}`,
  ]);
  expect(await requests[0]?.json()).toEqual({ organization_id: id, name: "Shop", ...target });
});

test("a test that fails is an answer; one that is not made is an error", async () => {
  const failed = { ok: false, code: "login_failed", message: "Check both." };
  const refused = { error: { code: "too_many_tests", message: "Wait.", request_id: "r" } };
  const { connections } = connect({
    [`${base}/${id}/test`]: () => Response.json(failed),
    [`${base}/test`]: () => Response.json(refused, { status: 429, headers: { "retry-after": "6" } }),
  });
  const { data } = await connections.test(id);
  expect(data && !data.ok && data.code).toBe("login_failed");
  const { error, response } = await connections.testSettings(id, target);
  expect(error).toMatchObject({ code: "too_many_tests", status: 429 });
  expect(response?.headers.get("retry-after")).toBe("6");
});

test("a call that is given up says so", async () => {
  const { connections } = connect({});
  expect((await connections.test(id, { signal: AbortSignal.abort() })).error?.code).toBe("aborted");
  expect((await connections.list(id)).error?.code).toBe("network_error");
});
