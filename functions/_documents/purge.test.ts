import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { finished } from "node:stream/promises";
import { GridFSBucket } from "mongodb";
import { deleteDocuments } from "../maintenance/delete-documents.ts";
import { test, withStore } from "./testing.ts";

const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];

test("an organization's files are found by an index, not among all", () =>
  withStore(async ({ documents, mongo }) => {
    await documents.ensure();
    await mongo.run(async (database) => {
      const indexes = await database.collection("artifact_files.files").indexes();
      assert.ok(indexes.some(({ key }) => Object.keys(key)[0] === "metadata.organization_id"));
    });
  }));

test("a purge takes an organization's files with all their chunks, stops when its time is up, and goes on", () =>
  withStore(({ mongo }) =>
    mongo.run(async (database) => {
      const bucket = new GridFSBucket(database, { bucketName: "artifacts", chunkSizeBytes: 1024 });
      for (const organization_id of [acme, globex]) {
        const upload = bucket.openUploadStream("sdk.zip", { metadata: { organization_id } });
        upload.end(Buffer.alloc(10_000));
        await finished(upload);
      }
      const count = (name: string) => database.collection(name).countDocuments();
      assert.equal(await deleteDocuments(database, acme, () => true), false);
      assert.deepEqual([await count("artifacts.files"), await count("artifacts.chunks")], [2, 20]);
      assert.equal(await deleteDocuments(database, acme, () => false), true);
      assert.deepEqual([await count("artifacts.files"), await count("artifacts.chunks")], [1, 10]);
      const [left] = await bucket.find().toArray();
      assert.equal(left?.metadata?.["organization_id"], globex);
      assert.equal(await deleteDocuments(database, acme, () => false), true, "twice is once");
    })
  ));
