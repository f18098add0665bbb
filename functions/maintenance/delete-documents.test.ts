import type { Db } from "mongodb";
import assert from "node:assert/strict";
import { deleteDocuments } from "./delete-documents.ts";

type Doc = {
  _id: number;
  organization_id?: string;
  metadata?: { organization_id: string };
  files_id?: number;
};

/** The few calls of a database that are made, on lists of documents. */
function createFakeDb(collections: Record<string, Doc[]>, views: string[] = []) {
  const calls: string[] = [];
  const searched: string[] = [];
  const matches = (doc: Doc, filter: Record<string, unknown>): boolean =>
    Object.entries(filter).every(([key, wanted]) => {
      const value = key === "metadata.organization_id"
        ? doc.metadata?.organization_id
        : doc[key as keyof Doc];
      const list = (wanted as { $in?: unknown[] }).$in;
      return list ? list.includes(value) : value === wanted;
    });
  const database = {
    listCollections: () => ({
      toArray: () =>
        Promise.resolve([
          ...Object.keys(collections).map((name) => ({ name, type: "collection" })),
          ...views.map((name) => ({ name, type: "view" })),
        ]),
    }),
    collection: (name: string) => ({
      find: (filter: Record<string, unknown>) => {
        searched.push(`${name} ${Object.keys(filter)}`);
        return {
          limit: (most: number) => ({
            toArray: () =>
              Promise.resolve((collections[name] ?? []).filter((doc) => matches(doc, filter)).slice(0, most)),
          }),
        };
      },
      deleteMany: (filter: Record<string, unknown>) => {
        calls.push(name);
        collections[name] = (collections[name] ?? []).filter((doc) => !matches(doc, filter));
        return Promise.resolve();
      },
    }),
  };
  return { database: database as unknown as Db, collections, calls, searched };
}

const many = (count: number, organization_id: string, first = 0): Doc[] =>
  Array.from({ length: count }, (_, n) => ({ _id: first + n, organization_id }));

Deno.test("every collection loses the organization's documents, and no others", async () => {
  const { database, collections, calls } = createFakeDb({
    workflows: [...many(1201, "gone"), ...many(3, "other", 5000)],
    activity: many(2, "other"),
    "system.views": many(1, "gone"),
  }, ["recent"]);
  assert.equal(await deleteDocuments(database, "gone", () => false), true);
  assert.equal(collections["workflows"]?.length, 3);
  assert.equal(collections["activity"]?.length, 2);
  assert.equal(collections["system.views"]?.length, 1);
  assert.equal(calls.length, 3, "in batches");
});

Deno.test("GridFS: the chunks go before the file that leads to them, and are not searched", async () => {
  const { database, collections, calls, searched } = createFakeDb({
    "artifacts.files": [
      { _id: 1, metadata: { organization_id: "gone" } },
      { _id: 2, metadata: { organization_id: "other" } },
      { _id: 3, metadata: { organization_id: "gone" } },
    ],
    "artifacts.chunks": [1, 1, 2, 3].map((files_id, _id) => ({ _id, files_id })),
  });
  assert.equal(await deleteDocuments(database, "gone", () => false), true);
  assert.deepEqual(collections["artifacts.files"]?.map(({ _id }) => _id), [2]);
  assert.deepEqual(collections["artifacts.chunks"]?.map(({ files_id }) => files_id), [2]);
  assert.deepEqual(calls, ["artifacts.chunks", "artifacts.files"]);
  assert.deepEqual([...new Set(searched)], ["artifacts.files metadata.organization_id"]);
});

Deno.test("when the time is up it stops between batches, and goes on when called again", async () => {
  const { database, collections } = createFakeDb({ a: many(700, "gone"), b: many(10, "gone") });
  let looks = 0;
  assert.equal(await deleteDocuments(database, "gone", () => ++looks > 1), false);
  assert.equal(collections["a"]?.length, 200);
  assert.equal(await deleteDocuments(database, "gone", () => false), true);
  assert.deepEqual([collections["a"]?.length, collections["b"]?.length], [0, 0]);
  assert.equal(
    await deleteDocuments(database, "gone", () => false),
    true,
    "the second time there is nothing",
  );
});
