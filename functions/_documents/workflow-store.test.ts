import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../_shared/errors.ts";
import { contentOf } from "../_workflows/content.ts";
import { smallWorkflow } from "../_workflows/testing.ts";
import { deleteDocuments } from "../maintenance/delete-documents.ts";
import { createStores } from "./stores.ts";
import { test, withStore } from "./testing.ts";

const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const about = (slug: string, more: object = {}) => ({
  name: `Workflow ${slug}`,
  slug,
  description: "",
  tags: [],
  ...more,
});
const content = (path = "/") => contentOf(smallWorkflow(path));
const noLimit = { limit: null };

const withWorkflows = (
  work: (
    store: ReturnType<typeof createStores>["workflows"],
    tools: Parameters<Parameters<typeof withStore>[0]>[0],
  ) => Promise<void>,
) => withStore((tools) => work(createStores(tools.documents).workflows, tools));

test("one of 100 who change a revision at once changes it, each time", () =>
  withWorkflows(async (store) => {
    let { _id: id, revision } = await store.create(acme, about("contested"), await content(), noLimit);
    for (let round = 0; round < 3; round++) {
      const attempts = await Promise.allSettled(
        Array.from(
          { length: 100 },
          async (_, editor) =>
            store.save(
              acme,
              id,
              revision,
              about("contested", { description: `by ${editor}` }),
              await content(`/${editor}`),
            ),
        ),
      );
      const won = attempts.flatMap((attempt) => attempt.status === "fulfilled" ? [attempt.value] : []);
      assert.equal(won.length, 1);
      const codes = new Set(
        attempts.flatMap((attempt) => attempt.status === "rejected" ? [attempt.reason.code] : []),
      );
      assert.deepEqual([...codes], ["stale_revision"]);
      const now = await store.get(acme, id);
      assert.deepEqual([now.revision, now.description, now.definition], [
        revision + 1,
        won[0]?.description,
        won[0]?.definition,
      ]);
      revision = now.revision;
    }
  }));

test("a limit holds, however many are made at once", () =>
  withWorkflows(async (store, { another }) => {
    const processes = [store, createStores(another()).workflows, createStores(another()).workflows];
    const attempts = await Promise.allSettled(
      Array.from({ length: 24 }, async (_, n) =>
        processes[n % 3]?.create(acme, about(`w-${n}`), await content(), { limit: 5 })),
    );
    assert.equal(
      attempts.filter(({ status }) =>
        status === "fulfilled"
      ).length,
      5,
    );
    const codes = new Set(
      attempts.flatMap((attempt) => attempt.status === "rejected" ? [attempt.reason.code] : []),
    );
    assert.deepEqual([...codes], ["limit_reached"]);
    await store.create(globex, about("w-0"), await content(), { limit: 1 });
    const [one] = await store.list(acme, { limit: 1 });
    await store.remove(acme, one?._id ?? "");
    await store.create(acme, about("again"), await content(), { limit: 5 });
  }));

test("versions count up, never change, and are not made twice of the same", () =>
  withWorkflows(async (store) => {
    const made = await store.create(acme, about("orders"), await content("/a"), noLimit);
    const publish = (revision: number, route: string) =>
      store.publish(acme, made._id, revision, { note: "n", route });
    const many = await Promise.all(Array.from({ length: 10 }, () => publish(1, "GET /a")));
    assert.deepEqual(new Set(many.map(({ version }) => version.number)), new Set([1]));
    assert.equal(many.filter(({ created }) => created).length, 1);

    await store.save(acme, made._id, 1, about("orders"), await content("/b"));
    await assert.rejects(publish(1, "GET /a"), { code: "stale_revision" });
    const second = await publish(2, "GET /b");
    assert.deepEqual([second.version.number, second.workflow.live_route, second.created], [
      2,
      "GET /b",
      true,
    ]);

    const back = await store.rollBack(acme, made._id, 2, 1, { note: "wrong" });
    assert.deepEqual([back.version.number, back.version.rolled_back_to, back.workflow.live_route], [
      3,
      1,
      "GET /a",
    ]);
    const now = await store.get(acme, made._id);
    assert.deepEqual([now.revision, now.definition, now.latest_version], [3, back.version.definition, 3]);
    assert.equal((await store.rollBack(acme, made._id, 3, 3, { note: "" })).created, false);
    assert.deepEqual((await store.versions(acme, made._id, { limit: 2 })).map(({ number }) => number), [
      3,
      2,
    ]);
    assert.deepEqual(
      (await store.versions(acme, made._id, { limit: 9, before: 2 })).map(({ number }) => number),
      [1],
    );
    assert.equal((await store.version(acme, made._id, 2)).content_hash, second.version.content_hash);
    await assert.rejects(store.version(acme, made._id, 4), { code: "version_not_found" });
  }));

test("published, rolled back, archived, restored, changed and deleted all at once, it stays whole", () =>
  withWorkflows(async (store, { another, mongo }) => {
    const others = createStores(another()).workflows;
    const contents = await Promise.all([0, 1, 2, 3].map((n) => content(`/contested/${n}`)));
    const chances = fc.sample(fc.integer({ min: 0, max: 999 }), { numRuns: 400, seed: 7 });
    const ids = await Promise.all(
      ["a", "b"].map(async (slug) => (await store.create(acme, about(slug), await content(), noLimit))._id),
    );
    const codes = new Set<string>();
    const act = async (chance: number) => {
      const [at, id] = [chance % 2 ? store : others, ids[chance % ids.length] ?? ""];
      const { revision, latest_version } = await at.get(acme, id);
      const given = contents[chance % contents.length] ?? await content();
      switch (chance % 11) {
        case 0:
        case 1:
        case 2:
          return await at.save(acme, id, revision, about(id), given);
        case 3:
        case 4:
        case 5:
          return await at.publish(acme, id, revision, { note: "", route: `GET /contested/${chance % 3}` });
        case 6:
        case 7:
          return await at.rollBack(acme, id, revision, Math.max(1, latest_version - 1), { note: "" });
        case 8:
          return await at.archive(acme, id);
        case 9:
          return await at.restore(acme, id);
        default:
          // The last ones delete it for good.
          return chance > 900 ? await at.remove(acme, id) : await at.restore(acme, id);
      }
    };
    const left = chances.values();
    const worker = async () => {
      for (const chance of left) {
        await act(chance).catch((error: unknown) => {
          assert.ok(error instanceof AppError, String(error));
          codes.add(error.code);
        });
      }
    };
    await Promise.all(Array.from({ length: 12 }, worker));

    const expected = [
      "stale_revision",
      "workflow_archived",
      "workflow_not_archived",
      "workflow_not_found",
      "version_not_found",
      "route_taken",
    ];
    assert.deepEqual([...codes].filter((code) => !expected.includes(code)), []);
    const [heads, versions] = await mongo.run((database) =>
      Promise.all(
        ["workflows", "workflow_versions"].map((name) => database.collection(name).find().toArray()),
      )
    );
    for (const id of ids) {
      const head = heads?.find(({ _id }) => String(_id) === id);
      const own = (versions ?? []).filter(({ workflow_id }) => workflow_id === id)
        .sort((one, other) => one["number"] - other["number"]);
      assert.deepEqual(own.map(({ number }) => number), own.map((_, at) => at + 1), "numbers have no gap");
      assert.equal(own.length, head?.["latest_version"] ?? 0, "what is gone has no versions");
      if (!head) continue;
      assert.equal(head["live_route"], head["state"] === "published" ? own.at(-1)?.["route"] : undefined);
      assert.equal(head["latest_hash"], own.at(-1)?.["content_hash"]);
    }
  }));

test("a route has one answer; slugs are one organization's", () =>
  withWorkflows(async (store) => {
    const one = await store.create(acme, about("one"), await content("/orders/{id}"), noLimit);
    const two = await store.create(acme, about("two"), await content("/orders/{key}"), noLimit);
    const other = await store.create(globex, about("one"), await content("/orders/{id}"), noLimit);
    await assert.rejects(store.create(acme, about("one"), await content(), noLimit), {
      code: "workflow_slug_taken",
    });
    await assert.rejects(store.save(acme, two._id, 1, about("one"), await content()), {
      code: "workflow_slug_taken",
    });

    const route = "GET /orders/{}";
    const publish = (organization: string, id: string, revision = 1) =>
      store.publish(organization, id, revision, { note: "", route });
    await publish(acme, one._id);
    await publish(globex, other._id);
    await assert.rejects(publish(acme, two._id), { code: "route_taken" });
    assert.equal((await store.get(acme, two._id)).state, "draft");
    await assert.rejects(
      store.version(acme, two._id, 1),
      { code: "version_not_found" },
      "nothing is left of it",
    );

    const live = (path: string) => store.live(acme, { method: "GET", path }, "latest");
    assert.equal((await live("/orders/7")).version.workflow_id, one._id);
    await assert.rejects(live("/orders"), { code: "workflow_not_found" });
    await store.archive(acme, one._id);
    await assert.rejects(live("/orders/7"), { code: "workflow_not_found" });
    await publish(acme, two._id);
    await assert.rejects(store.restore(acme, one._id), { code: "route_taken" });
    await store.archive(acme, two._id);
    assert.deepEqual((await store.restore(acme, one._id)).live_route, route);
    assert.deepEqual((await store.routes(acme, { limit: 9 })).map(({ slug }) => slug), ["one"]);
  }));

test("archived: read-only, restored as it was, deleted with all versions", () =>
  withWorkflows(async (store, { mongo }) => {
    const { _id: id } = await store.create(acme, about("life"), await content(), noLimit);
    await store.publish(acme, id, 1, { note: "", route: "GET /" });
    await assert.rejects(store.remove(acme, id), { code: "workflow_not_archived" });
    const { revision } = await store.archive(acme, id);
    assert.equal((await store.archive(acme, id)).revision, revision, "twice is once");
    await assert.rejects(store.save(acme, id, revision, about("life"), await content()), {
      code: "workflow_archived",
    });
    await assert.rejects(store.publish(acme, id, revision, { note: "" }), { code: "workflow_archived" });
    assert.equal((await store.restore(acme, id)).state, "published");
    await store.archive(acme, id);
    await store.remove(acme, id);
    await assert.rejects(store.get(acme, id), { code: "workflow_not_found" });
    assert.equal(await mongo.run((database) => database.collection("workflow_versions").countDocuments()), 0);
  }));

test("pages go on where they ended, whatever is added; filters and words find", () =>
  withWorkflows(async (store) => {
    const names = ["Orders by day", "Örders by month", "Invoices", "Order-Export 2026", "People"];
    for (const [n, name] of names.entries()) {
      const more = { name, tags: n % 2 ? ["odd"] : ["even"], ...(n === 2 && { application_id: globex }) };
      await store.create(acme, about(`w-${n}`, more), await content(), noLimit);
    }
    const page = (after?: string) => store.list(acme, { limit: 2, after });
    const first = await page();
    await store.create(acme, about("new"), await content(), noLimit);
    const second = await page(first.at(-1)?._id);
    const third = await page(second.at(-1)?._id);
    assert.deepEqual([...first, ...second, ...third].map(({ name }) => name), names.toReversed());
    assert.ok(!("definition" in (first[0] ?? {})));

    const found = async (query: object) =>
      (await store.list(acme, { limit: 9, ...query })).map(({ slug }) => slug).sort();
    assert.deepEqual(await found({ search: "ORDER" }), ["w-0", "w-1", "w-3"]);
    assert.deepEqual(await found({ search: "by orders" }), ["w-0", "w-1"]);
    assert.deepEqual(await found({ search: "rder" }), []);
    assert.deepEqual(await found({ search: ".* $where" }), []);
    assert.deepEqual(await found({ tag: "odd", search: "order" }), ["w-1", "w-3"]);
    assert.deepEqual(await found({ application_id: globex }), ["w-2"]);
    assert.deepEqual(await found({ state: "published" }), []);
    assert.deepEqual(await store.list(globex, { limit: 9 }), []);
  }));

test("when an organization is purged, nothing of it is left, and all of the others'", () =>
  withWorkflows(async (store, { mongo }) => {
    for (const organization of [acme, globex]) {
      const { _id } = await store.create(organization, about("w"), await content(), { limit: 1 });
      await store.publish(organization, _id, 1, { note: "", route: "GET /" });
    }
    const left = () =>
      mongo.run(async (database) => {
        const names = (await database.listCollections().toArray()).map(({ name }) => name).filter((name) =>
          name !== "nectar_collections"
        );
        const counts = await Promise.all(names.map((name) => database.collection(name).countDocuments()));
        const filled = names.map((name, at) => [name, counts[at]] as const).filter(([, count]) => count);
        return Object.fromEntries(filled);
      });
    assert.deepEqual(await left(), { guards: 2, workflow_versions: 2, workflows: 2 });
    assert.equal(await mongo.run((database) => deleteDocuments(database, acme, () => false)), true);
    assert.deepEqual(await left(), { guards: 1, workflow_versions: 1, workflows: 1 });
    assert.equal((await store.list(globex, { limit: 9 })).length, 1);
  }));
