import assert from "node:assert/strict";
import type { ErrorBody } from "../_shared/errors.ts";
import { AppError } from "../_shared/errors.ts";
import { createMongo } from "../_shared/mongo.ts";
import { closedPort, createTestLog, createTestProject } from "../_shared/testing.ts";
import { createDocuments } from "../_documents/documents.ts";
import { createStores } from "../_documents/stores.ts";
import { test, withStore } from "../_documents/testing.ts";
import { CONNECTION, orderWorkflow, smallWorkflow } from "../_workflows/testing.ts";
import { createApp } from "./app.ts";
import type { Backend, Permission } from "./backend.ts";

const { keys, publishableKey, secretKey, signToken } = await createTestProject();
const token = await signToken();
const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const everything: Permission[] = ["workflows.read", "workflows.write", "workflows.publish"];

// deno-lint-ignore no-explicit-any
type Loose = any;

interface Answer {
  status: number;
  etag: string;
  code: string | undefined;
  body: Loose;
  headers: Headers;
}

interface Tools {
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
  create: (slug: string, definition?: object) => Promise<Answer>;
  lines: Record<string, unknown>[];
}

/** A user of acme with some permissions, in front of a store of their own. */
function withApp(
  work: (tools: Tools) => Promise<void>,
  { may = everything, limit = null as number | null } = {},
) {
  return withStore(async ({ documents }) => {
    const { log, lines } = createTestLog();
    const requirePermission: Backend["requirePermission"] = (organizationId, permission) =>
      organizationId === acme && may.includes(permission)
        ? Promise.resolve()
        : Promise.reject(new AppError("not_permitted"));
    const backend: Backend = {
      requirePermission,
      workflowLimit: async (organizationId) => {
        await requirePermission(organizationId, "workflows.write");
        return limit;
      },
      connectionsExist: (_, ids) => {
        const connections = ids.filter((id) => id !== CONNECTION);
        return connections.length === 0
          ? Promise.resolve()
          : Promise.reject(new AppError("unknown_connection", { details: { connections } }));
      },
      applicationExists: () => Promise.reject(new AppError("unknown_application")),
    };
    const app = createApp({
      ...createStores(documents),
      connect: () => backend,
      findOrganization: (_, slug) =>
        slug === "acme" ? Promise.resolve(acme) : Promise.reject(new AppError("organization_not_found")),
      keys,
      log,
    });
    const call: Tools["call"] = async (method, path, body, headers = {}) => {
      const response = await app.request(`/workflows/${path}`, {
        method,
        headers: {
          apikey: publishableKey,
          ...(!headers["apikey"] && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const parsed: Loose = text.startsWith("{") ? JSON.parse(text) : undefined;
      return {
        status: response.status,
        etag: response.headers.get("etag") ?? "",
        code: (parsed as ErrorBody | undefined)?.error?.code,
        body: parsed,
        headers: response.headers,
      };
    };
    const create: Tools["create"] = (slug, definition = smallWorkflow()) =>
      call("POST", acme, { name: `Workflow ${slug}`, slug, definition });
    await work({ call, create, lines });
  });
}

test("a workflow's life, from draft to version to file and back", () =>
  withApp(async ({ call, create, lines }) => {
    const made = await create("orders", orderWorkflow());
    assert.equal(made.status, 201);
    assert.equal(made.headers.get("cache-control"), "no-store");
    assert.deepEqual(made.body.definition, orderWorkflow());
    const at = `${acme}/${made.body.id}`;
    assert.equal(lines.at(-1)?.["organization"], acme);

    const read = await call("GET", at);
    assert.deepEqual([read.status, read.etag, read.body], [200, '"r1.v0"', made.body]);
    assert.deepEqual((await call("GET", at.toUpperCase())).body, made.body, "as some clients write ids");

    const patched = await call("PATCH", at, { description: "of a day", definition: { cache: null } }, {
      "if-match": read.etag,
      "content-type": "application/merge-patch+json",
    });
    assert.equal(patched.status, 200);
    const { cache: _, ...without } = orderWorkflow();
    assert.deepEqual([patched.body.definition, patched.body.description, patched.etag], [
      without,
      "of a day",
      '"r2.v0"',
    ]);

    const published = await call("POST", `${at}/publish`, { note: "first" }, { "if-match": patched.etag });
    assert.deepEqual([published.status, published.body.created, published.body.version.number], [
      200,
      true,
      1,
    ]);
    assert.equal(published.body.version.route, "GET /orders/{}");
    const again = await call("POST", `${at}/publish`, {}, { "if-match": published.etag });
    assert.deepEqual([again.body.created, again.body.version], [false, published.body.version]);

    const replaced = await call("PUT", at, { name: "Orders", slug: "orders", definition: smallWorkflow() }, {
      "if-match": published.etag,
    });
    assert.deepEqual([replaced.status, replaced.body.description], [200, ""]);
    await call("POST", `${at}/publish`, {}, { "if-match": replaced.etag });
    const { body: { versions } } = await call("GET", `${at}/versions`);
    assert.deepEqual(versions.map((version: Loose) => version.number), [2, 1]);
    assert.deepEqual((await call("GET", `${at}/versions/1`)).body.definition, without);

    const { body: { differences } } = await call("GET", `${at}/diff?from=1&to=2`);
    assert.ok(differences.some(({ kind, path }: Loose) => kind === "removed" && path === "/steps/find"));
    assert.deepEqual((await call("GET", `${at}/diff`)).body.differences, []);

    const rolled = await call("POST", `${at}/rollback`, { version: 1 }, {
      "if-match": (await call("GET", at)).etag,
    });
    assert.deepEqual([rolled.body.version.number, rolled.body.version.rolled_back_to], [3, 1]);

    const file = (await call("GET", `${at}/export?version=latest`)).body;
    const imported = await call("POST", `${acme}/import`, { file, slug: "copy" });
    assert.deepEqual([imported.status, imported.body.definition, imported.body.slug], [201, without, "copy"]);
    const cut = await call("POST", `${acme}/import`, {
      file: { ...file, definition: smallWorkflow() },
      slug: "cut",
    });
    assert.deepEqual([cut.status, cut.code], [400, "invalid_workflow"]);
    assert.equal((await call("POST", `${at}/duplicate`, { name: "Twin", slug: "twin" })).status, 201);

    assert.equal((await call("DELETE", at)).code, "workflow_not_archived");
    assert.equal((await call("POST", `${at}/archive`)).body.state, "archived");
    assert.equal((await call("DELETE", at)).status, 204);
    assert.equal((await call("GET", at)).code, "workflow_not_found");
  }));

test("428, 412: a draft is changed by who has read it", () =>
  withApp(async ({ call, create }) => {
    const { body: { id } } = await create("a");
    const draft = { name: "A", slug: "a", definition: smallWorkflow() };
    for (
      const [method, path, body] of [["PUT", "", draft], ["PATCH", "", { name: "B" }], [
        "POST",
        "/publish",
        {},
      ]] as const
    ) {
      const change = (ifMatch?: string) =>
        call(method, `${acme}/${id}${path}`, body, ifMatch === undefined ? {} : { "if-match": ifMatch });
      for (const none of [undefined, "*"]) {
        assert.deepEqual([(await change(none)).status, (await change(none)).code], [
          428,
          "revision_required",
        ]);
      }
      for (const stale of ['"r2.v0"', '"r0"', "garbage", '"abc"']) {
        assert.deepEqual([(await change(stale)).status, (await change(stale)).code], [412, "stale_revision"]);
      }
    }
    assert.equal(
      (await call("PATCH", `${acme}/${id}`, { name: "B" }, { "if-match": 'W/"r1.v0"' })).status,
      200,
    );
  }));

test("400: what is wrong with a workflow is told by pointers, several at once", () =>
  withApp(async ({ call, create }) => {
    const broken = { ...orderWorkflow(), start: "nowhere", edges: [{ from: "find", to: "lost" }] };
    const { status, code, body } = await create("broken", broken);
    assert.deepEqual([status, code], [400, "invalid_workflow"]);
    const paths = body.error.details.issues.map(({ path }: Loose) => path);
    for (const path of ["/start", "/edges/0/to", "/steps/2"]) assert.ok(paths.includes(path), path);

    const shapeless = await create("shapeless", { ...smallWorkflow(), start: 5 });
    assert.deepEqual(shapeless.body.error.details.issues.map(({ path }: Loose) => path), ["/start"]);

    const { body: { id }, etag } = await create("ok");
    const patched = await call("PATCH", `${acme}/${id}`, { definition: { start: null } }, {
      "if-match": etag,
    });
    assert.deepEqual([patched.code, patched.body.error.details.issues[0].path], [
      "invalid_workflow",
      "/start",
    ]);
    const unread = await call("PATCH", `${acme}/${id}`, { definition: { start: null } }, {
      "if-match": '"r2.v0"',
    });
    assert.equal(unread.code, "stale_revision", "a patch is looked at on what it was made for");
    for (const patch of [{ name: null }, { slug: "A b" }, { tags: [1] }, { definition: null }, [], "x"]) {
      const answer = await call("PATCH", `${acme}/${id}`, patch, { "if-match": etag });
      assert.equal(answer.status, 400, JSON.stringify(patch));
    }
  }));

test("400: what refers to what is not the organization's", () =>
  withApp(async ({ call, create }) => {
    const foreign = orderWorkflow();
    if (foreign.steps[0]?.type === "sql") foreign.steps[0].connection = crypto.randomUUID();
    assert.equal((await create("a", foreign)).code, "unknown_connection");
    const application = { name: "A", slug: "a", application_id: globex, definition: smallWorkflow() };
    assert.equal((await call("POST", acme, application)).code, "unknown_application");
  }));

test("400, 413, 415: bodies that are too deep, too large, or none", () =>
  withApp(async ({ call }) => {
    assert.equal((await call("POST", acme, "[".repeat(200_000))).code, "validation_failed");
    assert.equal((await call("POST", acme, '{"definition":'.repeat(50_000))).code, "validation_failed");
    assert.equal((await call("POST", acme, "{")).code, "malformed_body");
    assert.equal((await call("POST", acme, '{"name": "\\ud800"}')).code, "validation_failed");
    assert.equal((await call("POST", acme, '{"__proto__": {"name": "x"}}')).code, "validation_failed");
    assert.equal((await call("POST", acme, JSON.stringify("x".repeat(1_200_000)))).status, 413);
    const large = { ...smallWorkflow(), description: "x" };
    const steps = Array.from(
      { length: 20 },
      (_, n) => ({ id: `s${n}`, type: "respond", status: 200, description: "é".repeat(1000) }),
    );
    assert.ok(
      (await call("POST", acme, { name: "L", slug: "l", definition: { ...large, steps } })).status === 400,
    );
  }));

test("400: the answer to a large body is a small one", () =>
  withApp(async ({ call }) => {
    const long = "x".repeat(300_000);
    const bodies = [
      { [long]: Array(50_000).fill("\0") },
      { name: "A", slug: "a", definition: smallWorkflow(), [long]: 1 },
      { name: "A", slug: "a", definition: { ...smallWorkflow(), steps: [{ [long]: 1 }] } },
    ];
    for (const body of bodies) {
      const answer = await call("POST", acme, body);
      assert.equal(answer.status, 400);
      assert.ok(JSON.stringify(answer.body).length < 30_000);
    }
  }));

test("401 and 403: nobody, and who may not", async () => {
  const id = crypto.randomUUID();
  const input = { name: "A", slug: "a", definition: smallWorkflow() };
  const routes: [string, string, unknown, Permission][] = [
    ["POST", "", input, "workflows.write"],
    ["GET", "", undefined, "workflows.read"],
    ["GET", `/${id}`, undefined, "workflows.read"],
    ["PUT", `/${id}`, input, "workflows.write"],
    ["PATCH", `/${id}`, {}, "workflows.write"],
    ["DELETE", `/${id}`, undefined, "workflows.write"],
    ["POST", `/${id}/duplicate`, { name: "B", slug: "b" }, "workflows.write"],
    ["POST", `/${id}/archive`, undefined, "workflows.publish"],
    ["POST", `/${id}/restore`, undefined, "workflows.publish"],
    ["POST", `/${id}/publish`, {}, "workflows.publish"],
    ["POST", `/${id}/rollback`, { version: 1 }, "workflows.publish"],
    ["GET", `/${id}/versions`, undefined, "workflows.read"],
    ["GET", `/${id}/versions/1`, undefined, "workflows.read"],
    ["GET", `/${id}/diff`, undefined, "workflows.read"],
    ["GET", `/${id}/export`, undefined, "workflows.read"],
  ];
  for (const needed of everything) {
    const others = everything.filter((permission) => permission !== needed);
    await withApp(async ({ call }) => {
      for (const [method, path, body, permission] of routes) {
        const name = `${method} ${path} without ${needed}`;
        const answer = await call(method, acme + path, body, { "if-match": '"r1.v0"' });
        assert.equal(answer.status === 403, permission === needed, `${name}: ${answer.status}`);
        assert.equal((await call(method, globex + path, body)).code, "not_permitted", name);
        assert.equal(
          (await call(method, acme + path, body, { authorization: "Bearer x" })).status,
          401,
          name,
        );
        assert.equal((await call(method, acme + path, body, { apikey: secretKey })).status, 401, name);
      }
    }, { may: others });
  }
});

test("409 and 402: taken, and no more", () =>
  withApp(async ({ create }) => {
    assert.equal((await create("a")).status, 201);
    assert.equal((await create("a")).code, "workflow_slug_taken");
    assert.equal((await create("b")).status, 201);
    const { status, code, body } = await create("c");
    assert.deepEqual([status, code, body.error.details], [402, "limit_reached", { limit: "workflows" }]);
  }, { limit: 2 }));

test("pages by cursor", () =>
  withApp(async ({ call, create }) => {
    for (const slug of ["a", "b", "c"]) await create(slug);
    const first = (await call("GET", `${acme}?limit=2`)).body;
    assert.deepEqual(first.workflows.map(({ slug }: Loose) => slug), ["c", "b"]);
    const second = (await call("GET", `${acme}?limit=2&cursor=${first.next_cursor}`)).body;
    assert.deepEqual([second.workflows.map(({ slug }: Loose) => slug), second.next_cursor], [["a"], null]);
    for (const cursor of ["x", btoa('{"after":{"$ne":null}}'), btoa("[]"), "%00"]) {
      assert.equal(
        (await call("GET", `${acme}?cursor=${encodeURIComponent(cursor)}`)).code,
        "validation_failed",
      );
    }
  }));

test("servers read what is live, by slug, id, route and version; people do not", () =>
  withApp(async ({ call, create }) => {
    const server = { apikey: secretKey };
    const { body: { id }, etag } = await create("orders", orderWorkflow());
    const live = (organization: string, version: string, route: string, headers = {}) =>
      call("GET", `published/${organization}/${version}?route=${encodeURIComponent(route)}`, undefined, {
        ...server,
        ...headers,
      });
    assert.equal((await live("acme", "latest", "orders")).code, "workflow_not_found");
    await call("POST", `${acme}/${id}/publish`, {}, { "if-match": etag });
    for (const route of ["orders", id, "GET /orders/7", "GET /orders/{order_id}"]) {
      for (const version of ["latest", "1"]) {
        for (const organization of ["acme", acme]) {
          const { status, body } = await live(organization, version, route);
          assert.deepEqual([status, body.version, body.slug, body.definition], [
            200,
            1,
            "orders",
            orderWorkflow(),
          ]);
        }
      }
    }
    const { etag: hash } = await live(acme, "latest", "orders");
    assert.equal((await live(acme, "latest", "orders", { "if-none-match": hash })).status, 304);
    assert.equal((await live(acme, "2", "orders")).code, "version_not_found");
    assert.equal((await live("nobody", "1", "orders")).code, "organization_not_found");
    assert.equal((await live(globex, "1", "orders")).code, "workflow_not_found");
    assert.equal((await live(acme, "0", "orders")).code, "validation_failed");
    assert.equal((await call("GET", `published/${acme}/latest?route=orders`)).status, 401);
    const { body: { routes } } = await call("GET", "published/acme", undefined, server);
    assert.deepEqual(routes.map(({ route, slug }: Loose) => [route, slug]), [["GET /orders/{}", "orders"]]);
    const { etag: next } = await call("PATCH", `${acme}/${id}`, { definition: { cache: null } }, {
      "if-match": '"r1.v1"',
    });
    await call("POST", `${acme}/${id}/publish`, {}, { "if-match": next });
    await call("POST", `${acme}/${id}/rollback`, { version: 1 }, { "if-match": next });
    const brought = await live(acme, "latest", "orders", { "if-none-match": hash });
    assert.deepEqual(
      [brought.status, brought.body?.version],
      [200, 3],
      "the content of version 1, not version 1",
    );
    await call("POST", `${acme}/${id}/archive`);
    assert.equal((await live(acme, "1", "orders")).code, "workflow_not_found");
    await call("DELETE", `${acme}/${id}`);
    const { body: heir, etag: fresh } = await create("orders", smallWorkflow());
    await call("POST", `${acme}/${heir.id}/publish`, {}, { "if-match": fresh });
    const first = await live(acme, "1", "orders");
    assert.equal(first.body.workflow_id, heir.id);
    assert.equal(
      first.headers.get("cache-control"),
      "private, no-cache",
      "the slug is another workflow's now",
    );
  }));

test("503: without MongoDB, and only that", async () => {
  const mongo = createMongo({ uri: () => `mongodb://127.0.0.1:${closedPort()}/x`, selectionTimeoutMs: 200 });
  const backend = {
    requirePermission: () => Promise.resolve(),
    workflowLimit: () => Promise.resolve(null),
    connectionsExist: () => Promise.resolve(),
    applicationExists: () => Promise.resolve(),
  };
  const stores = createStores(createDocuments({ mongo }));
  const app = createApp({ ...stores, connect: () => backend, keys, log: () => {} });
  for (const path of ["", `/${crypto.randomUUID()}`, `/${crypto.randomUUID()}/versions`]) {
    const headers = { apikey: publishableKey, authorization: `Bearer ${token}` };
    const response = await app.request(`/workflows/${acme}${path}`, { headers });
    assert.equal(response.status, 503);
    const text = await response.text();
    assert.equal((JSON.parse(text) as ErrorBody).error.code, "mongodb_unavailable");
    assert.doesNotMatch(text, /127\.0\.0\.1/);
  }
  await mongo.close();
});
