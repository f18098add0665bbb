import assert from "node:assert/strict";
import { createStores } from "../_documents/stores.ts";
import { newId } from "../_documents/id.ts";
import { test, withStore } from "../_documents/testing.ts";
import { AppError } from "../_shared/errors.ts";
import type { ActivityEvent } from "../_shared/activity.ts";
import { createTestProject } from "../_shared/testing.ts";
import { smallWorkflow } from "../_workflows/testing.ts";
import { createApp as createWorkflowsApp } from "../workflows/app.ts";
import type { Backend } from "../workflows/backend.ts";
import { createApp } from "./app.ts";

const { keys, publishableKey, signToken } = await createTestProject();
const [acme, ada] = [crypto.randomUUID(), crypto.randomUUID()];
const headers = { apikey: publishableKey, authorization: `Bearer ${await signToken({ sub: ada })}` };

test("an organization's activity, page by page, for who may read it", () =>
  withStore(async ({ documents }) => {
    const { activity } = createStores(documents);
    const app = createApp({
      activity,
      keys,
      log: () => {},
      connect: () => ({
        require: (organizationId, permission) => {
          assert.equal(permission, "activity.read");
          return organizationId === acme ? Promise.resolve() : Promise.reject(new AppError("not_permitted"));
        },
        limits: () => assert.fail(),
      }),
    });
    const records = Array.from({ length: 5 }, (_, n) => ({
      id: newId(),
      actor: { kind: "api_key" as const, id: "key" },
      action: `test.${n}`,
      ...(n === 0 && { details: '{"rows":1}', object: { kind: "thing", id: "7" }, request_id: "r" }),
    }));
    await activity.write(acme, records, 7);
    const get = async (path: string) => {
      const response = await app.request(`/activity/${path}`, { headers });
      return { status: response.status, body: await response.json() };
    };
    const first = await get(`${acme}?limit=3&actor_id=key`);
    const second = await get(`${acme}?limit=3&cursor=${first.body.next_cursor}`);
    const actions = [...first.body.entries, ...second.body.entries].map(({ action }) => action);
    assert.deepEqual(actions, ["test.4", "test.3", "test.2", "test.1", "test.0"]);
    assert.equal(second.body.next_cursor, null);
    const { id, at, ...oldest } = second.body.entries[1];
    assert.equal(id, records[0]?.id);
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 600_000);
    assert.deepEqual(oldest, {
      actor_kind: "api_key",
      actor_id: "key",
      action: "test.0",
      object_kind: "thing",
      object_id: "7",
      request_id: "r",
      details: { rows: 1 },
    });
    assert.equal((await get(`${acme}?to=2020-01-01T00:00:00Z`)).body.entries.length, 0);
    assert.equal((await get(crypto.randomUUID())).status, 403);
    for (const wrong of ["from=yesterday", "limit=0", "cursor=x", "actor_id="]) {
      assert.equal((await get(`${acme}?${wrong}`)).status, 400, wrong);
    }
    assert.equal((await app.request(`/activity/${acme}`)).status, 401);
  }));

test("who changed which workflow is recorded; reading and what failed is not", () =>
  withStore(async ({ documents }) => {
    const { workflows, cache } = createStores(documents);
    const backend = {
      requirePermission: () => Promise.resolve(),
      workflowLimit: () => Promise.resolve(null),
      connectionsExist: () => Promise.resolve(),
      applicationExists: () => Promise.resolve(),
    };
    const events: ActivityEvent[] = [];
    const app = createWorkflowsApp({
      workflows,
      cache,
      connect: () => backend as Backend,
      keys,
      log: () => {},
      recordActivity: (event) => void events.push(event),
    });
    const call = async (method: string, path: string, body?: object) => {
      const response = await app.request(`/workflows/${path}`, {
        method,
        headers: {
          ...headers,
          "content-type": "application/json",
          "if-match": '"r1"',
          "x-request-id": "request-1",
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      return await response.json().catch(() => undefined);
    };
    const { id } = await call("POST", acme, { name: "W", slug: "w", definition: smallWorkflow() });
    await call("GET", `${acme}/${id}`);
    await call("POST", `${acme}/${id}/publish`, {});
    await call("PATCH", `${acme}/${id}`, { name: "" });
    await call("PATCH", `${acme}/${id}`, { name: "V" });
    await call("POST", `${acme}/cache/purge`, { all: true });
    await call("POST", `${acme}/${id}/archive`);
    await call("DELETE", `${acme}/${id}`);
    assert.deepEqual(events.map(({ action, object }) => [action, object?.id]), [
      ["workflows.create", id],
      ["workflows.publish", id],
      ["workflows.change", id],
      ["workflows.cache.purge", undefined],
      ["workflows.archive", id],
      ["workflows.delete", id],
    ]);
    assert.deepEqual(events[0], {
      organization_id: acme,
      actor: { kind: "user", id: ada },
      action: "workflows.create",
      object: { kind: "workflows", id },
      request_id: "request-1",
    });
  }));
