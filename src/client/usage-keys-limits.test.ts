import { expect, test } from "vitest";
import { createNectarClient } from "./index.ts";
import { createFakeFetch } from "./testing.ts";

const url = "http://nectar.test";
const id = "0b9f2f9e-6a3c-4b69-9d4b-6f2f8f0f6a11";

function connect(answers: Parameters<typeof createFakeFetch>[0]) {
  const fake = createFakeFetch(answers);
  const options = { fetch: fake.fetch, auth: { persistSession: false, autoRefreshToken: false } };
  return { ...fake, ...createNectarClient({ url, publishableKey: "sb_publishable_1", options }) };
}

const rpc = (name: string) => `/rest/v1/rpc/${name}`;
const refuse = (status: number, code: string, hint: string) =>
  Response.json({ code, message: "From SQL.", details: null, hint }, { status });

test("a summary asks for what was said, and leaves the rest to the database", async () => {
  const buckets = [{ bucket: "2026-11-01T00:00:00+00:00", group_id: null, quantity: 3, events: 2 }];
  const { usage, requests } = connect({ [rpc("usage_summary")]: () => Response.json(buckets) });
  const question = { metric: "api_requests", from: "2026-11-01", to: "2026-12-01" };
  expect(await usage.summary(id, question)).toEqual({ data: buckets, error: null });
  await usage.summary(id, { ...question, granularity: "hour", groupBy: "api_key" });
  const asked = { p_organization_id: id, p_metric: "api_requests", p_from: "2026-11-01", p_to: "2026-12-01" };
  expect(await Promise.all(requests.map((request) => request.json()))).toEqual([
    asked,
    { ...asked, p_granularity: "hour", p_group_by: "api_key" },
  ]);
});

test("a range that is too long is refused by its code", async () => {
  const { usage } = connect({ [rpc("usage_summary")]: () => refuse(400, "22023", "too_many_buckets") });
  const { data, error } = await usage.summary(id, { metric: "api_requests", from: "2020", to: "2026" });
  expect([data, error?.code, error?.message]).toEqual([null, "too_many_buckets", "From SQL."]);
});

test("limits are those of one organization", async () => {
  const { limits, requests } = connect({ "/rest/v1/organization_limits": () => Response.json([]) });
  expect(await limits.list(id)).toEqual({ data: [], error: null });
  expect(new URL(requests[0]?.url ?? "").searchParams.get("organization_id")).toBe(`eq.${id}`);
});

test("a new key is told with its secret, and asks for no more than was said", async () => {
  const made = { api_key_id: id, secret: "nk_live_x" };
  const { keys, requests } = connect({ [rpc("create_api_key")]: () => Response.json([made]) });
  const created = await keys.create(id, {
    name: "Server",
    scopes: ["applications.read"],
    environment: "test",
    allowedCidrs: ["203.0.113.0/24"],
  });
  expect(created).toEqual({ data: made, error: null });
  expect(await requests[0]?.json()).toEqual({
    p_application_id: id,
    p_name: "Server",
    p_scopes: ["applications.read"],
    p_environment: "test",
    p_allowed_cidrs: ["203.0.113.0/24"],
  });
});

test("a rotation says how long the old secret stays, down to nothing", async () => {
  const { keys, requests } = connect({ [rpc("rotate_api_key")]: () => Response.json([{ api_key_id: id }]) });
  await keys.rotate(id, { overlapSeconds: 0 });
  await keys.rotate(id);
  expect(await Promise.all(requests.map((request) => request.json()))).toEqual([
    { p_api_key_id: id, p_overlap: "0 seconds" },
    { p_api_key_id: id },
  ]);
});

test.each([
  ["revoke", "revoke_api_key", 409, "PT409", "api_key_revoked"],
  ["adopt", "adopt_api_key", 403, "42501", "scope_above_own"],
  ["update", "update_api_key", 400, "22023", "api_key_widened"],
] as const)("%s is refused by its code", async (name, path, status, code, hint) => {
  const { keys } = connect({ [rpc(path)]: () => refuse(status, code, hint) });
  const answer = name === "update" ? keys.update(id, { name: "Other" }) : keys[name](id);
  expect((await answer).error).toMatchObject({ code: hint, status });
});
