// Nothing of one organization is another's to see or to change: every function of every store, and every route.
import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../_shared/errors.ts";
import { createTestProject } from "../_shared/testing.ts";
import { contentOf } from "../_workflows/content.ts";
import { smallWorkflow } from "../_workflows/testing.ts";
import { createApp as createActivityApp } from "../activity/app.ts";
import { createApp as createArtifactsApp } from "../artifacts/app.ts";
import { createApp as createSchemaApp } from "../schema/app.ts";
import { createApp as createWorkflowsApp } from "../workflows/app.ts";
import type { Backend } from "../workflows/backend.ts";
import { toCursor } from "./cursor.ts";
import { newId } from "./id.ts";
import { hostileValues, variants } from "./hostile.ts";
import { snapshotOf, tableOf } from "./schema-testing.ts";
import { createStores } from "./stores.ts";
import { test, type TestStore, withStore } from "./testing.ts";

type Stores = ReturnType<typeof createStores>;
type Call = (...args: unknown[]) => Promise<unknown>;

const CANARY = "canary";
const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];

/** Acme's documents, each with the canary in all that a person writes. */
interface Planted {
  draft: string;
  live: string;
  archived: string;
  done: ReturnType<typeof activityOf>;
  artifact: string;
  connection: string;
}

const canaryWorkflow = (path: string) => ({ ...smallWorkflow(path), description: CANARY });
const canaryContent = (path = `/${CANARY}`) => contentOf(canaryWorkflow(path));
const about = (slug: string) => ({
  name: `${CANARY} ${slug}`,
  slug: `${CANARY}-${slug}`,
  description: CANARY,
  tags: [CANARY],
});

const cacheKey = (workflow_id: string) => ({ workflow_id, workflow_version: 1, parameters: { of: "acme" } });
const canaryAnswer = { status: 200, content_type: "text/plain", body: `${CANARY} answer` };
const cacheSettings = { ttl_seconds: 86_400, tags: [CANARY], limit: null };

const activityOf = (action: string) => ({
  id: newId(),
  actor: { kind: "user" as const, id: CANARY },
  action,
  object: { kind: CANARY, id: CANARY },
  details: JSON.stringify({ text: `${CANARY} details` }),
});

async function* piecesOf(text: string) {
  yield await Promise.resolve(new TextEncoder().encode(text));
}
const file = { name: CANARY, kind: "other" as const, content_type: `text/${CANARY}` };
const uploadLimits = { limit: 1000, most: 1000 };

const canaryTable = { schema: "public", table: CANARY };
const canarySnapshot = (type = `${CANARY} type`) => snapshotOf([tableOf(CANARY, [`id:${type}`])]);

async function plant({ workflows, cache, activity, artifacts, schema }: Stores): Promise<Planted> {
  const make = async (slug: string) =>
    (await workflows.create(acme, about(slug), await canaryContent(`/${CANARY}/${slug}`), {
      by: acme,
      limit: null,
    }))._id;
  const publish = (id: string, slug: string) =>
    workflows.publish(acme, id, 1, { note: CANARY, by: acme, route: `GET /${CANARY}/${slug}` });
  const [draft, live, archived] = [await make("draft"), await make("live"), await make("archived")];
  await publish(live, "live");
  await publish(archived, "archived");
  await workflows.archive(acme, archived);
  await cache.put(acme, cacheKey(live), canaryAnswer, cacheSettings);
  const done = activityOf(`${CANARY} done`);
  await activity.write(acme, [done], null);
  const { _id: artifact } = await artifacts.upload(acme, file, piecesOf(`${CANARY} content`), uploadLimits);
  const connection = crypto.randomUUID();
  await schema.save(acme, connection, await canarySnapshot());
  await schema.annotate(acme, connection, {
    ...canaryTable,
    description: `${CANARY} description`,
    pii: true,
  });
  return { draft, live, archived, done, artifact, connection };
}

/** What each function is called with, behind the organization: acme's ids. A function that is missing here fails the test. */
async function callsOf(
  { draft, live, archived, done, artifact, connection }: Planted,
): Promise<Record<string, unknown[][]>> {
  const content = await contentOf(smallWorkflow());
  const own = { name: "Own", slug: "own", description: "", tags: [] };
  const answer = { ...canaryAnswer, body: "own" };
  return {
    "activity.write": [[[{ ...done, action: "own" }], 7]],
    "activity.list": [[{ limit: 10 }], [{
      limit: 10,
      actor_id: CANARY,
      object_id: CANARY,
      before: "z",
      from: 1,
      to: 1e15,
    }]],
    "artifacts.upload": [[{ ...file, name: "own", content_type: "a/b" }, piecesOf("own"), uploadLimits]],
    "artifacts.list": [[{ limit: 10 }], [{ limit: 10, after: "z", kind: "other" }]],
    "artifacts.get": [[artifact]],
    "artifacts.download": [[artifact]],
    "artifacts.remove": [[artifact]],
    "artifacts.tidy": [[], [5]],
    "artifacts.used": [[]],
    "cache.get": [[cacheKey(live)]],
    "cache.put": [[cacheKey(live), answer, { ttl_seconds: 1, limit: 5000 }]],
    "cache.through": [[cacheKey(live), cacheSettings, () => Promise.resolve(answer)]],
    "cache.invalidate": [[{ workflow_id: live }], [{ tag: CANARY }], [{ all: true }]],
    "cache.statistics": [[]],
    "schema.save": [[connection, await snapshotOf([tableOf("own", ["id:int"])])]],
    "schema.connections": [[]],
    "schema.list": [[connection, { limit: 10 }], [connection, { limit: 10, before: 9 }]],
    "schema.get": [[connection, "latest"], [connection, 1]],
    "schema.diff": [[connection, 1, "latest"]],
    "schema.search": [[{ search: CANARY, limit: 10 }], [{
      search: "id",
      connection_id: connection,
      limit: 10,
    }]],
    "schema.table": [[connection, canaryTable]],
    "schema.annotated": [[connection, { limit: 10 }], [connection, { limit: 10, after: "z" }]],
    "schema.annotate": [
      [connection, { ...canaryTable, description: "own", pii: false }],
      [connection, { ...canaryTable, pii: false }],
    ],
    "schema.forget": [[connection]],
    "workflows.create": [[own, content, { limit: 100 }]],
    "workflows.list": [[{ limit: 100 }], [{ limit: 100, search: CANARY }], [{ limit: 9, tag: CANARY }], [{
      limit: 9,
      after: live,
    }]],
    "workflows.get": [[draft], [live], [archived]],
    "workflows.save": [[draft, 1, own, content], [live, 1, own, content]],
    "workflows.publish": [[draft, 1, { note: "", route: "GET /own" }]],
    "workflows.rollBack": [[live, 1, 1, { note: "" }]],
    "workflows.versions": [[live, { limit: 100 }]],
    "workflows.version": [[live, 1], [archived, 1]],
    "workflows.archive": [[live], [draft]],
    "workflows.restore": [[archived]],
    "workflows.remove": [[draft], [archived]],
    "workflows.routes": [[{ limit: 100 }], [{ limit: 100, after: draft }]],
    "workflows.live": [
      [{ id: live }, "latest"],
      [{ slug: `${CANARY}-live` }, 1],
      [{ method: "GET", path: `/${CANARY}/live` }, "latest"],
    ],
  };
}

function functionsOf(stores: Stores): [string, Call][] {
  return Object.entries(stores).flatMap(([store, functions]) =>
    Object.entries(functions).map(([name, call]): [string, Call] => [`${store}.${name}`, call as Call])
  );
}

const everythingOf = (organization: string, { mongo }: TestStore) =>
  mongo.run(async (database) => {
    const names = (await database.listCollections().toArray()).map(({ name }) => name).sort();
    const own = { $or: [{ organization_id: organization }, { "metadata.organization_id": organization }] };
    return await Promise.all(
      names.map((name) => database.collection(name).find(own).sort({ _id: 1 }).toArray()),
    );
  });

/** Calls as globex, and looks for acme in what comes back. */
async function probe(what: string, call: () => Promise<unknown>) {
  const told = await (async () => await call())().catch((error: unknown) => {
    // A TypeError is a program's own mistake: routes check what people send.
    const expected = error instanceof TypeError || error instanceof AppError && error.status < 500;
    assert.ok(expected, `${what} failed: ${error}`);
    return error instanceof AppError ? error.toBody("") : undefined;
  });
  const text = JSON.stringify(told) ?? "";
  assert.ok(!text.includes(acme), `${what} told of acme: ${text.slice(0, 300)}`);
  return text;
}

test("every function of every store, called by another organization with one's ids", () =>
  withStore(async (store) => {
    const stores = createStores(store.documents);
    const calls = await callsOf(await plant(stores));
    const functions = functionsOf(stores);
    assert.deepEqual(
      Object.keys(calls).sort(),
      functions.map(([name]) => name).sort(),
      "each is called here",
    );
    const before = await everythingOf(acme, store);
    for (const [name, call] of functions) {
      for (const args of calls[name] ?? []) {
        const text = await probe(name, () => call(globex, ...args));
        assert.ok(!text.includes(CANARY), `${name} told of acme: ${text}`);
      }
    }
    assert.deepEqual(await everythingOf(acme, store), before, "and nothing of it was changed");
  }));

test("every function of every store, with every hostile value in every place", () =>
  withStore(async (store) => {
    const stores = createStores(store.documents);
    const calls = await callsOf(await plant(stores));
    const before = await everythingOf(acme, store);
    for (const [name, call] of functionsOf(stores)) {
      for (const [first = []] of [calls[name] ?? []]) {
        for (const hostile of hostileValues()) {
          await assert.rejects(
            call(hostile, ...first),
            { code: "validation_failed" },
            `${name} of a hostile organization`,
          );
          for (const args of variants(first, hostile).filter(Array.isArray)) {
            const text = await probe(
              `${name}(${JSON.stringify(args).slice(0, 200)})`,
              () => call(globex, ...args),
            );
            assert.ok(!text.includes(`${CANARY} `), `${name} told of acme: ${text}`);
          }
        }
      }
    }
    assert.deepEqual(await everythingOf(acme, store), before);
  }));

// A signature of the kind that is verified fastest: who the caller is, other tests try.
const { keys, publishableKey, secretKey, signToken } = await createTestProject("Ed25519");
const token = await signToken();

/** The functions that stand on the document store, for a person who may do everything in globex and nothing elsewhere. */
function appsOf(stores: Stores) {
  const requirePermission: Backend["requirePermission"] = (organizationId) =>
    organizationId === globex ? Promise.resolve() : Promise.reject(new AppError("not_permitted"));
  const backend: Backend = {
    requirePermission,
    workflowLimit: async (organizationId) => {
      await requirePermission(organizationId, "workflows.write");
      return null;
    },
    connectionsExist: () => Promise.resolve(),
    applicationExists: () => Promise.resolve(),
  };
  const common = { keys, log: () => {} };
  const connect = () => ({
    require: (organizationId: string) => requirePermission(organizationId, "workflows.read"),
    limits: async (organizationId: string) => {
      await requirePermission(organizationId, "workflows.read");
      return { artifact_bytes: null, cache_bytes: null, activity_days: null };
    },
  });
  return [
    createActivityApp({ activity: stores.activity, connect, ...common }),
    createArtifactsApp({
      artifacts: stores.artifacts,
      linkKeys: () => undefined,
      url: () => "http://127.0.0.1",
      connect,
      ...common,
    }),
    createSchemaApp({ schema: stores.schema, connect, ...common }),
    createWorkflowsApp({
      workflows: stores.workflows,
      cache: stores.cache,
      connect: () => backend,
      findOrganization: () => Promise.resolve(globex),
      ...common,
    }),
  ];
}

interface Described {
  paths?: Record<
    string,
    Record<
      string,
      {
        parameters?: { in: string; name: string }[];
        requestBody?: unknown;
        security?: Record<string, unknown>[];
      }
    >
  >;
}

/** Every route that the functions describe. */
function routesOf(apps: ReturnType<typeof appsOf>) {
  const about = { openapi: "3.1.0", info: { title: "", version: "" } };
  return apps.flatMap((app) => {
    const { paths = {} } = app.getOpenAPI31Document(about) as unknown as Described;
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { parameters = [], requestBody, security = [] }]) => ({
        app,
        path,
        method: method.toUpperCase(),
        queries: parameters.filter((each) => each.in === "query").map(({ name }) => name),
        hasBody: requestBody !== undefined,
        forServers: security.some((way) => "secretKey" in way),
      }))
    );
  });
}
type Route = ReturnType<typeof routesOf>[number];

/** What stands for each name in a path. A name that is missing here fails the test. */
const fill = (path: string, places: Record<string, string>) =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => {
    assert.ok(name in places, `{${name}} in ${path} is not filled here`);
    return encodeURIComponent(places[name] ?? "");
  });

async function request({ app, method, forServers, hasBody }: Route, path: string, body?: BodyInit) {
  const response = await app.request(path, {
    method,
    headers: {
      apikey: forServers ? secretKey : publishableKey,
      ...(!forServers && { authorization: `Bearer ${token}` }),
      ...(hasBody && { "content-type": "application/json" }),
      "if-match": '"r1.v0"',
    },
    ...(hasBody && { body: body ?? "{}" }),
  });
  return { status: response.status, text: await response.text() };
}

/** Several at a time: most of a request is waiting for the store. */
async function each<T>(cases: Iterable<T>, work: (one: T) => Promise<void>) {
  const left = Iterator.from(cases);
  const worker = async () => {
    for (const one of left) await work(one);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

const bodies = () => [
  { name: "Own", slug: "own", definition: smallWorkflow(), tags: [], description: "", application_id: null },
  { name: "Own", slug: `own-${crypto.randomUUID().slice(0, 8)}` },
  { note: "", version: 1 },
  { tag: CANARY },
  { ...canaryTable, column: "id", description: "own", pii: true },
  { expires_in: 60 },
  { all: true },
  {
    file: {
      format: "nectar.workflow-file/1",
      name: "F",
      slug: "f",
      description: "",
      tags: [],
      content_hash: "0",
      definition: smallWorkflow(),
    },
  },
  {},
];

test("every route, called by another organization with one's ids", () =>
  withStore(async (store) => {
    const stores = createStores(store.documents);
    const planted = await plant(stores);
    const before = await everythingOf(acme, store);
    const routes = routesOf(appsOf(stores));
    assert.ok(routes.length >= 17);
    function* cases() {
      for (const route of routes) {
        for (const id of Object.values(planted).filter((each) => typeof each === "string")) {
          for (const organization_id of [acme, globex]) {
            const path = fill(route.path, {
              organization_id,
              organization: globex,
              id,
              connection_id: id,
              number: "1",
              version: "latest",
            });
            const cursor = toCursor({ after: id, before: id });
            const query =
              `?route=${id}&search=${CANARY}&schema=public&table=${CANARY}&name=x&from=1&cursor=${cursor}`;
            for (const body of bodies()) {
              yield { route, organization_id, path, body };
              yield { route, organization_id, path: path + query, body };
            }
          }
        }
      }
    }
    await each(cases(), async ({ route, organization_id, path, body }) => {
      const { status, text } = await request(route, path, JSON.stringify(body));
      const what = `${route.method} ${path}: ${status} ${text.slice(0, 300)}`;
      assert.ok(status < 500, what);
      assert.ok(!text.includes(CANARY) && !text.includes(acme), what);
      if (!route.forServers && organization_id === acme) assert.ok(status === 403 || status === 400, what);
    });
    assert.deepEqual(await everythingOf(acme, store), before);
  }));

test("every route, with hostile values in paths, queries and bodies", () =>
  withStore(async (store) => {
    const stores = createStores(store.documents);
    const planted = await plant(stores);
    const before = await everythingOf(acme, store);
    const routes = routesOf(appsOf(stores));
    const good: Record<string, string> = {
      organization_id: globex,
      organization: globex,
      id: planted.live,
      connection_id: planted.connection,
      number: "1",
      version: "latest",
    };
    function* cases(): Generator<[Route, path: string, body?: string]> {
      for (const route of routes) {
        const path = fill(route.path, good);
        for (const hostile of hostileValues()) {
          const said = typeof hostile === "string" ? hostile : JSON.stringify(hostile) ?? "";
          // As a URL can hold it.
          const text = encodeURIComponent(said.toWellFormed().slice(0, 4000));
          for (const [, name = ""] of route.path.matchAll(/\{(\w+)\}/g)) {
            yield [route, fill(route.path, { ...good, [name]: said.toWellFormed().slice(0, 1000) || "%" })];
          }
          for (const name of [...route.queries, "search[$ne]", "__proto__"]) {
            yield [route, `${path}?${name}=${text}`];
          }
          if (!route.hasBody) continue;
          for (const body of bodies()) {
            for (const changed of [...variants(body, hostile), { ...body, more: hostile }]) {
              yield [route, path, JSON.stringify(changed) ?? "undefined"];
            }
          }
        }
      }
    }
    await each(cases(), async ([route, path, body]) => {
      const { status, text } = await request(route, path, body);
      assert.ok(
        status < 500 && !text.includes(`${CANARY} `),
        `${route.method} ${path} ${body?.slice(0, 200)}: ${text}`,
      );
    });
    assert.deepEqual(await everythingOf(acme, store), before);
  }));

/** Bodies of one run. */
const TOGETHER = 20;

// The same code on an older runtime is asked less.
const fuzzed = Deno.version.deno.startsWith("2.1.") ? 1_000 : 10_000;

test(`${fuzzed} fuzzed bodies: nothing 5xx, nothing of acme`, () =>
  withStore(async (store) => {
    const stores = createStores(store.documents);
    const planted = await plant(stores);
    const before = await everythingOf(acme, store);
    const routes = routesOf(appsOf(stores)).filter(({ hasBody }) => hasBody);
    const names = fc.constantFrom(
      "name",
      "slug",
      "definition",
      "file",
      "steps",
      "$ne",
      "$where",
      "a.b",
      "__proto__",
      "",
      "id",
      "type",
    );
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.jsonValue(),
        fc.constantFrom(...hostileValues()),
        tie("object"),
        fc.array(tie("value"), { maxLength: 4 }),
      ),
      object: fc.dictionary(fc.oneof(names, fc.string()), tie("value"), { maxKeys: 6 }),
    })).object;
    const changed = fc.tuple(fc.constantFrom(...bodies()), fc.nat(), json, fc.nat()).map(
      ([body, nth, value, which]) => {
        const all = variants(body, Object.values(value)[which % Math.max(1, Object.keys(value).length)]);
        return JSON.stringify(all[nth % all.length]) ?? "";
      },
    );
    const text = fc.oneof(
      { weight: 3, arbitrary: changed },
      { weight: 3, arbitrary: json.map((value) => JSON.stringify(value)) },
      {
        weight: 1,
        // Any text: of fast-check's own, each kind costs seconds to begin with.
        arbitrary: fc.uint8Array({ maxLength: 400 }).map((raw) => new TextDecoder("utf-16le").decode(raw)),
      },
      { weight: 1, arbitrary: changed.map((whole) => whole.slice(0, -3)) },
    );
    let requests = 0;
    const several = fc.array(fc.tuple(fc.constantFrom(...routes), text), {
      minLength: TOGETHER,
      maxLength: TOGETHER,
    });
    await fc.assert(
      fc.asyncProperty(several, (cases) =>
        each(cases, async ([route, body]) => {
          const path = fill(route.path, {
            organization_id: globex,
            id: planted.live,
            connection_id: planted.connection,
          });
          const { status, text } = await request(route, path, body);
          requests++;
          assert.ok(status < 500, `${route.method} ${route.path} ${body}: ${status} ${text}`);
          assert.ok(!text.includes(`${CANARY} `) && !text.includes(acme));
        })),
      { numRuns: fuzzed / TOGETHER },
    );
    assert.ok(requests >= fuzzed);
    assert.deepEqual(await everythingOf(acme, store), before);
  }));
