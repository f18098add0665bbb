import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Mongo } from "../_shared/mongo.ts";
import { type ArtifactStore, createArtifactStore } from "./artifact-store.ts";
import { test, type TestStore, withStore } from "./testing.ts";

const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const input = { name: "api.json", kind: "openapi" as const, content_type: "application/json" };
const MOST = 50 * 1024 * 1024;
const noLimit = { limit: null, most: MOST };

async function* bytesOf(size: number, piece = 64 * 1024) {
  for (let at = 0; at < size; at += piece) {
    await Promise.resolve();
    yield new Uint8Array(Math.min(piece, size - at)).fill((at / piece) % 251);
  }
}

/** How much of artifacts is there: documents, files, chunks, and what is counted. */
const everything = (mongo: Mongo) =>
  mongo.run(async (database) => {
    const count = (name: string) => database.collection(name).countDocuments();
    const usage = await database.collection("artifact_usage").find().toArray();
    return {
      heads: await count("artifacts"),
      files: await count("artifact_files.files"),
      chunks: await count("artifact_files.chunks"),
      bytes: usage.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  });
const nothing = { heads: 0, files: 0, chunks: 0, bytes: 0 };

const withArtifacts = (
  work: (store: ArtifactStore, tools: TestStore & { time: { now: number } }) => Promise<void>,
) =>
  withStore((tools) => {
    const time = { now: Date.now() };
    return work(createArtifactStore(tools.documents, { clock: () => time.now }), { ...tools, time });
  });

test("what was uploaded in pieces is downloaded in pieces, the same", () =>
  withArtifacts(async (store, { mongo }) => {
    const size = 3_000_001;
    const expected = createHash("sha256");
    for await (const chunk of bytesOf(size)) expected.update(chunk);
    const sha256 = expected.digest("hex");
    for (const said of [size, undefined]) {
      const made = await store.upload(acme, { ...input, size: said }, bytesOf(size), noLimit);
      assert.deepEqual([made.bytes, made.sha256, made.state], [size, sha256, "ready"]);
      const { content, artifact } = await store.download(acme, made._id);
      assert.equal(artifact._id, made._id);
      const read = createHash("sha256");
      let pieces = 0;
      for await (const chunk of content) {
        read.update(chunk);
        pieces++;
      }
      assert.equal(read.digest("hex"), sha256);
      assert.ok(pieces > 5);
    }
    assert.equal(await store.used(acme), 2 * size);
    const empty = await store.upload(acme, input, bytesOf(0), noLimit);
    assert.equal(await new Response((await store.download(acme, empty._id)).content).text(), "");
    for (const { _id } of await store.list(acme, { limit: 10 })) await store.remove(acme, _id);
    assert.deepEqual(await everything(mongo), nothing, "and nothing is left of them");
  }));

test("a download that is broken off reads no further", () =>
  withArtifacts(async (store) => {
    const { _id } = await store.upload(acme, input, bytesOf(2_000_000), noLimit);
    const { content } = await store.download(acme, _id);
    const reader = content.getReader();
    await reader.read();
    await reader.cancel();
    await store.remove(acme, _id);
  }));

test("the plan's bytes are never exceeded, however many upload at once; what fails gives back what it took", () =>
  withArtifacts(async (store, { another, mongo }) => {
    const processes = [store, createArtifactStore(another()), createArtifactStore(another())];
    const limits = { limit: 1_000_000, most: MOST };
    const attempts = await Promise.allSettled(Array.from({ length: 18 }, (_, n) => {
      const size = n % 2 === 0 ? 150_000 : undefined;
      return processes[n % 3]?.upload(acme, { ...input, size }, bytesOf(150_000, 40_000), limits);
    }));
    const made = attempts.flatMap((attempt) => attempt.status === "fulfilled" ? [attempt.value] : []);
    const codes = attempts.flatMap((each) => each.status === "rejected" ? [each.reason.code] : []);
    assert.deepEqual([...new Set(codes)], ["limit_reached"]);
    assert.ok(made.length >= 1 && made.length <= 6, `${made.length} fit`);
    const left = await everything(mongo);
    assert.deepEqual([left.heads, left.files, left.bytes], [made.length, made.length, made.length * 150_000]);
    assert.equal(await store.used(acme), made.length * 150_000);
    // One after the other all of it can be used, to the byte.
    const rest = 1_000_000 - left.bytes;
    await store.upload(acme, input, bytesOf(rest), limits);
    await assert.rejects(store.upload(acme, input, bytesOf(1), limits), { code: "limit_reached" });
    await store.upload(globex, input, bytesOf(1), limits);
  }));

test("an upload that is too large or breaks off leaves nothing", () =>
  withArtifacts(async (store, { mongo }) => {
    await assert.rejects(store.upload(acme, input, bytesOf(3_000_000), { limit: null, most: 2_999_999 }), {
      code: "payload_too_large",
    });
    await assert.rejects(store.upload(acme, { ...input, size: 9 }, bytesOf(9), { limit: null, most: 8 }), {
      code: "payload_too_large",
    });
    async function* broken() {
      yield* bytesOf(1_000_000);
      throw new Error("the sender went away");
    }
    await assert.rejects(store.upload(acme, input, broken(), noLimit), /went away/);
    assert.deepEqual(await everything(mongo), nothing);
  }));

test("what a process that died left of an upload or a deletion is tidied up, and not what others do", () =>
  withArtifacts(async (store, { mongo, another, time }) => {
    const killed = createArtifactStore(another(), { clock: () => time.now });
    const kept = await store.upload(acme, input, bytesOf(700_000), noLimit);
    // It hangs in the middle, as it would for others if it were dead.
    const held = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    async function* hanging() {
      yield* bytesOf(1_000_000);
      started.resolve();
      await held.promise;
      yield new Uint8Array(10);
    }
    const dead = killed.upload(acme, { ...input, size: 2_000_000 }, hanging(), noLimit);
    dead.catch(() => {});
    await started.promise;
    // A deletion that stopped after its first step.
    const half = await store.upload(acme, input, bytesOf(500_000), noLimit);
    const alive_until = new Date(time.now + 600_000);
    await mongo.run((database) =>
      database.collection("artifacts").updateOne({ _id: half._id as never }, {
        $set: { state: "deleting", alive_until },
      })
    );

    assert.equal(await store.tidy(acme), 0, "too early");
    assert.equal(await store.used(acme), 3_200_000);
    time.now += 600_001;
    assert.equal(await store.tidy(globex), 0);
    assert.equal(await store.tidy(acme), 2);
    assert.equal(await store.used(acme), 700_000);
    // It was not dead: it finds out, and leaves nothing either.
    held.resolve();
    await assert.rejects(dead, { code: "artifact_not_found" });
    const { heads, files, bytes } = await everything(mongo);
    assert.deepEqual([heads, files, bytes], [1, 1, 700_000]);
    const orphans = await mongo.run((database) =>
      database.collection("artifact_files.chunks").countDocuments({ files_id: { $ne: kept._id as never } })
    );
    assert.equal(orphans, 0);
  }));

test("an artifact is its organization's, and is listed when it is whole", () =>
  withArtifacts(async (store) => {
    const made = [];
    for (let n = 0; n < 5; n++) {
      made.push(await store.upload(acme, { ...input, name: `${n}` }, bytesOf(10), noLimit));
    }
    const names = (list: { name: string }[]) => list.map(({ name }) => name).join("");
    assert.equal(names(await store.list(acme, { limit: 3 })), "432");
    assert.equal(names(await store.list(acme, { limit: 3, after: made[2]?._id })), "10");
    assert.equal((await store.list(acme, { limit: 3, kind: "sdk" })).length, 0);
    const id = made[0]?._id ?? "";
    for (const call of [store.get, store.download, store.remove]) {
      await assert.rejects(call(globex, id), { code: "artifact_not_found" });
    }
    await store.remove(acme, id);
    await assert.rejects(store.get(acme, id), { code: "artifact_not_found" });
    await assert.rejects(store.remove(acme, id), { code: "artifact_not_found" });
  }));
