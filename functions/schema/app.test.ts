import assert from "node:assert/strict";
import { snapshotOf, tableOf } from "../_documents/schema-testing.ts";
import { createStores } from "../_documents/stores.ts";
import { test, withStore } from "../_documents/testing.ts";
import { AppError } from "../_shared/errors.ts";
import { createTestProject } from "../_shared/testing.ts";
import { checkWorkflow } from "../_workflows/check.ts";
import { createApp } from "./app.ts";

const { keys, publishableKey, signToken } = await createTestProject();
const [acme, globex, ada, connection] = Array.from({ length: 4 }, () => crypto.randomUUID()) as [
  string,
  string,
  string,
  string,
];
const authorization = `Bearer ${await signToken({ sub: ada })}`;

// deno-lint-ignore no-explicit-any
type Loose = any;
type Call = (method: string, path: string, body?: object) => Promise<{ status: number; body: Loose }>;

const withApp = (work: (call: Call) => Promise<void>, may = ["schema.read", "schema.write"]) =>
  withStore(async ({ documents }) => {
    const { schema } = createStores(documents);
    const app = createApp({
      schema,
      keys,
      log: () => {},
      connect: () => ({
        require: (organizationId, permission) =>
          organizationId === acme && may.includes(permission)
            ? Promise.resolve()
            : Promise.reject(new AppError("not_permitted")),
        limits: () => assert.fail(),
      }),
    });
    const columns = ["id:int", "email:text", "name:text"];
    await schema.save(acme, connection, await snapshotOf([tableOf("customers", columns)]));
    await schema.save(
      acme,
      connection,
      await snapshotOf([tableOf("customers", [...columns, "vip:boolean"])]),
    );
    await work(async (method, path, body) => {
      const response = await app.request(`/schema/${path}`, {
        method,
        headers: { apikey: publishableKey, authorization, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    });
  });

const at = `${acme}/${connection}`;
const table = "schema=public&table=customers";

test("snapshots, what changed, and what is found in them", () =>
  withApp(async (call) => {
    const first = await call("GET", `${at}/snapshots?limit=1`);
    const second = await call("GET", `${at}/snapshots?limit=1&cursor=${first.body.next_cursor}`);
    assert.deepEqual([first.body.snapshots[0].number, second.body.snapshots[0].number], [2, 1]);
    const latest = await call("GET", `${at}/snapshots/latest`);
    assert.equal(latest.body.content[0].columns.length, 4);
    const { body } = await call("GET", `${at}/diff?from=1`);
    assert.deepEqual(body.changes.map(({ change, name }: Loose) => [change, name]), [[
      "column_added",
      "vip",
    ]]);
    const search = await call("GET", `${acme}/search?search=vip`);
    assert.deepEqual(search.body.tables, [
      { connection_id: connection, schema: "public", table: "customers", kind: "table", columns: ["vip"] },
    ]);
    assert.equal((await call("GET", `${at}/snapshots/3`)).body.error.code, "schema_not_found");
    for (
      const wrong of ["diff", "diff?from=latest", "snapshots/0", "table?schema=public", "snapshots?cursor=x"]
    ) {
      assert.equal((await call("GET", `${at}/${wrong}`)).status, 400, wrong);
    }
  }));

test("what is said of a table is shown with it, and personal data are not suggested", () =>
  withApp(async (call) => {
    const place = { schema: "public", table: "customers" };
    const said = await call("PUT", `${at}/annotations`, {
      ...place,
      column: "email",
      pii: true,
      description: "Mail",
    });
    assert.equal(said.status, 200);
    const { updated_at: _, ...annotation } = said.body.annotation;
    assert.deepEqual(annotation, {
      ...place,
      column: "email",
      pii: true,
      description: "Mail",
      updated_by: ada,
    });
    const shown = await call("GET", `${at}/table?${table}`);
    assert.deepEqual(shown.body.annotations, [said.body.annotation]);
    const { body } = await call("GET", `${at}/suggestions?${table}`);
    assert.deepEqual(body.suggestions.map(({ kind }: Loose) => kind), ["list", "get"]);
    for (const { definition } of body.suggestions) {
      assert.equal(checkWorkflow(definition).issues, undefined);
      assert.match(definition.steps[0].statement, /^select "id", "name", "vip" from/);
    }
    await call("PUT", `${at}/annotations`, { ...place, pii: true });
    assert.deepEqual((await call("GET", `${at}/suggestions?${table}`)).body.suggestions, []);
    assert.deepEqual((await call("PUT", `${at}/annotations`, { ...place, column: "email" })).body, {
      annotation: null,
    });
    assert.equal((await call("GET", `${at}/annotations`)).body.annotations.length, 1);
    assert.equal(
      (await call("PUT", `${at}/annotations`, { ...place, column: "none", pii: true })).status,
      404,
    );
    assert.equal((await call("PUT", `${at}/annotations`, { ...place, more: 1 })).status, 400);
  }));

test("who reads does not write, and nobody does either elsewhere", () =>
  withApp(async (call) => {
    const said = { schema: "public", table: "customers", pii: true };
    assert.equal((await call("PUT", `${at}/annotations`, said)).status, 403);
    assert.equal((await call("GET", `${at}/annotations`)).status, 200);
    const paths = [
      "search?search=x",
      ...["snapshots", "snapshots/1", "diff?from=1", `table?${table}`].map((path) => `${connection}/${path}`),
    ];
    for (const path of paths) assert.equal((await call("GET", `${globex}/${path}`)).status, 403, path);
  }, ["schema.read"]));
