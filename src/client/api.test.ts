import { expect, test } from "vitest";
import { createApiClient } from "./index.ts";
import { createFakeFetch } from "./testing.ts";

const apiKey = "nk_test_x";
const connect = (answer: () => Response) => {
  const fake = createFakeFetch({ "/functions/v1/api/ping": answer });
  return { ...fake, api: createApiClient({ url: "http://nectar.test/", apiKey, fetch: fake.fetch }) };
};

test("a call brings its key, and nothing of a person's", async () => {
  const pong = { organization_id: "a", application_id: "b", key_id: "c", environment: "test" };
  const { api, requests } = connect(() => Response.json(pong));
  expect((await api.GET("/api/ping")).data).toEqual(pong);
  expect(requests[0]?.headers.get("authorization")).toBe(`Bearer ${apiKey}`);
  expect(requests[0]?.headers.has("apikey")).toBe(false);
});

test("a refusal says its code, and when to come again", async () => {
  const { api } = connect(() =>
    Response.json(
      { error: { code: "rate_limited", message: "Too fast.", request_id: "r" } },
      { status: 429, headers: { "retry-after": "1" } },
    ),
  );
  const { data, error, response } = await api.GET("/api/ping");
  expect([data, error?.code, response?.headers.get("retry-after")]).toEqual([null, "rate_limited", "1"]);
});

test.each([
  ["http://nectar.test", "sb_secret_x"],
  ["http://nectar.test", ""],
  ["http://nectar.test", "nk_live_x\r\nx-evil: 1"],
  ["nectar", apiKey],
])("neither %s nor %j is taken for what it is not", (url, key) => {
  expect(() => createApiClient({ url, apiKey: key })).toThrow(TypeError);
});
