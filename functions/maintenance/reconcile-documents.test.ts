import assert from "node:assert/strict";
import { newId } from "../_documents/id.ts";
import { snapshotOf, tableOf } from "../_documents/schema-testing.ts";
import { createStores } from "../_documents/stores.ts";
import { test, type TestStore, withStore } from "../_documents/testing.ts";
import { contentOf } from "../_workflows/content.ts";
import { smallWorkflow } from "../_workflows/testing.ts";
import type { Job } from "./jobs.ts";
import { reconcileDocuments, type ReconcileOptions } from "./reconcile-documents.ts";

type Admin = Parameters<Job["run"]>[0];

/** PostgreSQL, which knows some organizations, and what it was asked. */
function databaseOf(known: readonly string[]) {
  const asked: string[][] = [];
  const admin = {
    from: () => ({
      select: () => ({
        in: (_: string, ids: string[]) => {
          asked.push(ids);
          return Promise.resolve({
            data: known.filter((id) => ids.includes(id)).map((id) => ({ id })),
            error: null,
            status: 200,
          });
        },
      }),
    }),
  };
  return { admin: admin as unknown as Admin, asked };
}

async function* bytes(size: number) {
  yield await Promise.resolve(new Uint8Array(size));
}
const file = { name: "x", kind: "other" as const, content_type: "text/plain" };
const limits = { limit: null, most: 1e9 };

async function plant({ documents }: TestStore, organization: string) {
  const { activity, artifacts, cache, workflows } = createStores(documents);
  const about = { name: "W", slug: "w", description: "", tags: [] };
  const { _id } = await workflows.create(organization, about, await contentOf(smallWorkflow()), {
    limit: null,
  });
  const answer = { status: 200, content_type: "text/plain", body: "x" };
  const key = { workflow_id: _id, workflow_version: 1, parameters: {} };
  await cache.put(organization, key, answer, { ttl_seconds: 999, limit: null });
  await activity.write(organization, [{ id: newId(), actor: { kind: "server" }, action: "x" }], null);
  return await artifacts.upload(organization, file, bytes(600_000), limits);
}

/** How many documents of each organization there are, in all collections; chunks by their file's. */
const documentsOf = ({ mongo }: TestStore, organization: string) =>
  mongo.run(async (database) => {
    const own = { $or: [{ organization_id: organization }, { "metadata.organization_id": organization }] };
    let count = 0;
    for (const { name } of await database.listCollections().toArray()) {
      count += await database.collection(name).countDocuments(own);
    }
    return count;
  });
const chunks = ({ mongo }: TestStore) =>
  mongo.run((database) => database.collection("artifact_files.chunks").countDocuments());

const jobOf = ({ mongo, lines }: TestStore, more: Partial<ReconcileOptions> = {}) =>
  reconcileDocuments({ mongo, configured: true, log: (line) => void lines.push(line), ...more });

test("documents of organizations that PostgreSQL does not know go, and of no others", () =>
  withStore(async (store) => {
    const [here, gone, closed] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
    for (const organization of [here, gone, closed]) await plant(store, organization);
    const [before, all] = [await documentsOf(store, here), await chunks(store)];
    const { admin } = databaseOf([here, closed]);
    assert.deepEqual(await jobOf(store).run(admin, () => false), { status: "done", count: 1 });
    assert.equal(await documentsOf(store, gone), 0);
    assert.equal(await chunks(store), all / 3 * 2);
    assert.deepEqual([await documentsOf(store, here), await documentsOf(store, closed)], [before, before]);
    assert.deepEqual(store.lines.map(({ event, organization }) => [event, organization]), [[
      "documents_orphaned",
      gone,
    ]]);
  }));

test("what is known of a connection goes when PostgreSQL does not know it", () =>
  withStore(async (store) => {
    const [organization, here, gone] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
    const { schema } = createStores(store.documents);
    const table = { schema: "public", table: "orders" };
    for (const connection of [here, gone]) {
      await schema.save(organization, connection, await snapshotOf([tableOf("orders", ["id:integer"])]));
      await schema.annotate(organization, connection, { ...table, description: "bought", pii: false });
    }
    const job = jobOf(store);
    assert.deepEqual(await job.run(databaseOf([organization, here]).admin, () => false), {
      status: "done",
      count: 1,
    });
    assert.deepEqual(await schema.connections(organization), [here]);
    const found = await schema.search(organization, { search: "bought", limit: 10 });
    assert.deepEqual(found.map(({ connection_id }) => connection_id), [here]);
    assert.deepEqual(store.lines.map(({ event, connection }) => [event, connection]), [[
      "connection_orphaned",
      gone,
    ]]);
  }));

test("it goes on where it stopped, and asks for each organization once", () =>
  withStore(async (store) => {
    const organizations = Array.from({ length: 7 }, () => crypto.randomUUID()).sort();
    for (const organization of organizations) await plant(store, organization);
    const { admin, asked } = databaseOf(organizations.slice(0, 5));
    let runs = 0;
    let count = 0;
    for (let status = "unfinished"; status === "unfinished"; runs++) {
      let looks = 0;
      // Another process each time, with time for a part of it.
      const result = await jobOf(store, { batch: 2 }).run(admin, () => ++looks > 20);
      ({ status } = result);
      count += result.count;
      assert.ok(runs < 50);
    }
    assert.ok(runs > 1, `${runs} runs`);
    assert.equal(count, 2);
    assert.deepEqual([...new Set(asked.flat())].sort(), organizations);
    for (const [at, organization] of organizations.entries()) {
      assert.equal(await documentsOf(store, organization) > 0, at < 5);
    }
  }));

test("what was broken off is tidied up, and chunks and files that nothing leads to go", () =>
  withStore(async (store) => {
    const organization = crypto.randomUUID();
    const kept = await plant(store, organization);
    const broken = await plant(store, crypto.randomUUID());
    const lost = await plant(store, crypto.randomUUID());
    const time = { now: Date.now() };
    await store.mongo.run(async (database) => {
      const heads = database.collection<{ _id: string }>("artifacts");
      await heads.updateOne({ _id: broken._id }, {
        $set: { state: "uploading", alive_until: new Date(time.now - 1) },
      });
      // As after a crash between two deletions: one lost its head, and one its file too.
      await heads.deleteOne({ _id: lost._id });
      await database.collection<{ _id: string }>("artifact_files.files").deleteOne({ _id: lost._id });
    });
    const known = databaseOf([organization, broken.organization_id, lost.organization_id]);
    const job = jobOf(store, { clock: () => time.now, everyMs: 1000 });
    assert.deepEqual(await job.run(known.admin, () => false), { status: "done", count: 1 });
    assert.equal(await chunks(store), 6, "the young chunks may be an upload's");
    assert.deepEqual(
      await job.run(known.admin, () => false),
      { status: "done", count: 0 },
      "not again so soon",
    );
    time.now += 3_600_001;
    assert.deepEqual(await job.run(known.admin, () => false), { status: "done", count: 1 });
    assert.equal(await chunks(store), 3);
    const { artifacts } = createStores(store.documents);
    assert.equal((await artifacts.get(organization, kept._id)).bytes, 600_000);
    assert.equal(await artifacts.used(broken.organization_id), 0);
  }));

test("when PostgreSQL does not answer, nothing is deleted", () =>
  withStore(async (store) => {
    const organization = crypto.randomUUID();
    await plant(store, organization);
    const before = await documentsOf(store, organization);
    const refusing = {
      from: () => ({
        select: () => ({
          in: () =>
            Promise.resolve({
              data: null,
              error: { message: "away", code: "", hint: "", details: "" },
              status: 503,
            }),
        }),
      }),
    };
    await assert.rejects(jobOf(store).run(refusing as unknown as Admin, () => false));
    assert.equal(await documentsOf(store, organization), before);
    assert.equal(jobOf(store, { configured: false }).ready(), false);
  }));
