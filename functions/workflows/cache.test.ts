import assert from "node:assert/strict";
import { createStores } from "../_documents/stores.ts";
import { test, withStore } from "../_documents/testing.ts";
import { AppError } from "../_shared/errors.ts";
import { createTestProject } from "../_shared/testing.ts";
import { createApp } from "./app.ts";
import type { Backend } from "./backend.ts";

const { keys, publishableKey, signToken } = await createTestProject();
const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const workflow_id = crypto.randomUUID();

test("who writes workflows sees what is cached of them, and purges it", () =>
  withStore(async ({ documents }) => {
    const { workflows, cache } = createStores(documents);
    const asked: string[] = [];
    const backend = {
      requirePermission: (organizationId, permission) => {
        asked.push(permission);
        return organizationId === acme ? Promise.resolve() : Promise.reject(new AppError("not_permitted"));
      },
    } as Partial<Backend> as Backend;
    const app = createApp({ workflows, cache, connect: () => backend, keys, log: () => {} });
    const authorization = `Bearer ${await signToken()}`;
    const call = async (path: string, body?: unknown) => {
      const response = await app.request(`/workflows/${path}`, {
        headers: { apikey: publishableKey, authorization, "content-type": "application/json" },
        ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    };
    const settings = { ttl_seconds: 60, tags: ["orders"], limit: null };
    for (const organization of [acme, globex]) {
      for (const n of [1, 2]) {
        const key = { workflow_id, workflow_version: n, parameters: {} };
        await cache.put(organization, key, { status: 200, content_type: "text/plain", body: "x" }, settings);
      }
    }
    const { body } = await call(`${acme}/cache`);
    assert.deepEqual([body.entries, body.workflows[0].workflow_id, body.hits], [2, workflow_id, 0]);
    assert.ok(body.counted_since);
    for (const wrong of [{}, { all: false }, { tag: "orders", all: true }, { workflow_id: "x" }]) {
      assert.equal((await call(`${acme}/cache/purge`, wrong)).status, 400);
    }
    assert.equal((await call(`${globex}/cache/purge`, { all: true })).status, 403);
    assert.equal((await call(`${globex}/cache`)).status, 403);
    assert.deepEqual((await call(`${acme}/cache/purge`, { tag: "other" })).body, { removed: 0 });
    const inCapitals = { workflow_id: workflow_id.toUpperCase() };
    assert.deepEqual((await call(`${acme}/cache/purge`, inCapitals)).body, { removed: 2 });
    assert.deepEqual((await call(`${acme}/cache/purge`, { all: true })).body, { removed: 0 });
    assert.equal((await cache.statistics(globex)).entries, 2);
    assert.deepEqual([...new Set(asked)], ["workflows.write"]);
  }));
