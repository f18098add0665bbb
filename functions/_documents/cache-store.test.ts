import assert from "node:assert/strict";
import { createMongo } from "../_shared/mongo.ts";
import { closedPort } from "../_shared/testing.ts";
import { MAX_ENTRY_BYTES } from "./cache-entries.ts";
import type { CachedAnswer, CacheSettings, CacheStore } from "./cache-store.ts";
import { createCacheStore } from "./cache-store.ts";
import { cacheId } from "./cache-key.ts";
import { createDocuments } from "./documents.ts";
import { test, type TestStore, withStore } from "./testing.ts";

const [acme, globex] = [crypto.randomUUID(), crypto.randomUUID()];
const workflow_id = crypto.randomUUID();
const keyOf = (parameters: Record<string, unknown> = {}, workflow_version = 1) => ({
  workflow_id,
  workflow_version,
  parameters,
});
const answerOf = (body: string, status = 200): CachedAnswer => ({
  status,
  content_type: "application/json",
  body,
});
const settings: CacheSettings = { ttl_seconds: 60, limit: null };

interface Tools extends TestStore {
  cache: CacheStore;
  /** The same cache, as another process has it. */
  elsewhere: () => CacheStore;
  time: { now: number };
}

const withCache = (work: (tools: Tools) => Promise<void>) =>
  withStore((store) => {
    // A day ahead of MongoDB's clock: its TTL monitor takes nothing that is good by this one.
    const time = { now: Date.now() + 86_400_000 };
    const options = {
      clock: () => time.now,
      log: (line: Record<string, unknown>) => void store.lines.push(line),
    };
    const elsewhere = () => createCacheStore(store.another(), options);
    return work({ ...store, cache: createCacheStore(store.documents, options), elsewhere, time });
  });

const storedBytes = ({ mongo }: TestStore, organization = acme) =>
  mongo.run(async (database) => {
    const all = await database.collection("cache_entries").find({ organization_id: organization }).toArray();
    return all.reduce((sum, { bytes }) => sum + bytes, 0);
  });

test("a key is organization, version and parameters, however these are written", async () => {
  const a = await cacheId(acme, keyOf({ b: 1, a: { y: [1.0], x: "é" } }));
  assert.equal(a, await cacheId(acme, keyOf(JSON.parse('{"a":{"x":"\\u00e9","y":[1e0]},"b":1.0}'))));
  const others = [
    cacheId(globex, keyOf({ b: 1, a: { y: [1], x: "é" } })),
    cacheId(acme, keyOf({ b: 1, a: { y: [1], x: "é" } }, 2)),
    cacheId(acme, keyOf({ b: "1", a: { y: [1], x: "é" } })),
    cacheId(acme, keyOf({ b: 1, a: { y: [1], x: "e\u0301" } })),
    cacheId(acme, keyOf({})),
  ];
  assert.equal(new Set([a, ...await Promise.all(others)]).size, 6);
});

test("an answer is fresh, then stale, then gone, also while MongoDB still has it", () =>
  withCache(async ({ cache, time, mongo }) => {
    await cache.put(acme, keyOf(), answerOf("1"), { ttl_seconds: 10, stale_seconds: 5, limit: null });
    assert.deepEqual(await cache.get(acme, keyOf()), { answer: answerOf("1"), state: "hit" });
    assert.equal(await cache.get(globex, keyOf()), undefined);
    assert.equal(await cache.get(acme, keyOf({}, 2)), undefined);
    time.now += 10_000;
    assert.equal((await cache.get(acme, keyOf()))?.state, "stale");
    time.now += 5_000;
    assert.equal(await cache.get(acme, keyOf()), undefined);
    // The TTL monitor goes by MongoDB's clock, which has not moved.
    await mongo.run(async (database) => {
      assert.equal(await database.collection("cache_entries").countDocuments(), 1);
      const indexes = await database.collection("cache_entries").indexes();
      assert.equal(indexes.find(({ name }) => name === "cache_expiry")?.expireAfterSeconds, 0);
    });
  }));

test("of 90 who ask at once in three processes, one makes the answer", () =>
  withCache(async ({ cache, elsewhere }) => {
    const processes = [cache, elsewhere(), elsewhere()];
    let made = 0;
    const make = async () => {
      made++;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return answerOf("made");
    };
    const answers = await Promise.all(
      Array.from({ length: 90 }, (_, n) => processes[n % 3]?.through(acme, keyOf(), settings, make)),
    );
    assert.equal(made, 1);
    assert.ok(answers.every((each) => each?.answer.body === "made"));
    assert.equal((await cache.through(acme, keyOf(), settings, make)).state, "hit");
  }));

test("a stale answer is given at once, while one in the background makes a new one", () =>
  withCache(async ({ cache, elsewhere, time }) => {
    const processes = [cache, elsewhere()];
    const briefly = { ...settings, stale_seconds: 600 };
    await cache.put(acme, keyOf(), answerOf("old"), briefly);
    time.now += 61_000;
    const made = Promise.withResolvers<CachedAnswer>();
    let asked = 0;
    const make = () => {
      asked++;
      return made.promise;
    };
    const ask = (n: number) => processes[n % 2]?.through(acme, keyOf(), briefly, make);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n)));
    assert.ok(answers.every((each) => each?.state === "stale" && each.answer.body === "old"));
    made.resolve(answerOf("new"));
    let now = await cache.get(acme, keyOf());
    while (now?.answer.body !== "new") now = await cache.get(acme, keyOf());
    assert.deepEqual([asked, now.state], [1, "hit"]);
  }));

test("a refresh that fails leaves the stale answer, and is told", () =>
  withCache(async ({ cache, time, lines }) => {
    const briefly = { ...settings, stale_seconds: 600 };
    await cache.put(acme, keyOf(), answerOf("old"), briefly);
    time.now += 61_000;
    for (let turn = 1; turn <= 2; turn++) {
      const { state } = await cache.through(acme, keyOf(), briefly, () => Promise.reject(new Error("away")));
      assert.equal(state, "stale");
      while (lines.length < turn) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(lines[0]?.["event"], "cache_refresh_failed");
  }));

test("who fails to make an answer gives the turn to the next; who dies loses it when the lease is over", () =>
  withCache(async ({ cache, elsewhere, time }) => {
    await assert.rejects(
      cache.through(acme, keyOf(), settings, () => Promise.reject(new Error("away"))),
      /away/,
    );
    const next = await elsewhere().through(
      acme,
      keyOf(),
      settings,
      () => Promise.resolve(answerOf("second")),
    );
    assert.equal(next.answer.body, "second");

    const never = Promise.withResolvers<CachedAnswer>();
    const started = Promise.withResolvers<void>();
    const dead = elsewhere().through(acme, keyOf({ n: 1 }), settings, () => {
      started.resolve();
      return never.promise;
    });
    await started.promise;
    time.now += 31_000;
    const heir = await cache.through(
      acme,
      keyOf({ n: 1 }),
      settings,
      () => Promise.resolve(answerOf("heir")),
    );
    assert.equal(heir.answer.body, "heir");
    never.resolve(answerOf("late"));
    assert.equal((await dead).answer.body, "late");
    assert.equal(
      (await cache.get(acme, keyOf({ n: 1 })))?.answer.body,
      "heir",
      "the lease was no longer its own",
    );
  }));

test("an answer that is gone does not come back while another is made in its place", () =>
  withCache(async ({ cache, elsewhere, time }) => {
    await cache.put(acme, keyOf(), answerOf("gone"), { ttl_seconds: 10, stale_seconds: 5, limit: null });
    time.now += 15_000;
    await cache.through(acme, keyOf(), settings, async () => {
      assert.equal(await elsewhere().get(acme, keyOf()), undefined);
      return answerOf("new");
    });
    assert.equal((await cache.get(acme, keyOf()))?.answer.body, "new");
  }));

test("what was made of data that were purged meanwhile is given, and not kept", () =>
  withCache(async ({ cache }) => {
    for (const purge of [{ all: true }, { tag: "orders" }, { workflow_id }] as const) {
      const { answer } = await cache.through(acme, keyOf(), { ...settings, tags: ["orders"] }, async () => {
        assert.equal(await cache.invalidate(acme, purge), 1);
        return answerOf("outdated");
      });
      assert.equal(answer.body, "outdated");
      assert.equal(await cache.get(acme, keyOf()), undefined);
    }
  }));

test("a purge between an entry and its being counted harms nobody, also when the entry got smaller", () =>
  withCache(async ({ cache, documents, time }) => {
    await cache.put(acme, keyOf(), answerOf("x".repeat(9000)), settings);
    time.now += 61_000;
    const purged: typeof documents = {
      ...documents,
      run: (organizationId, work) =>
        documents.run(organizationId, (tenant) =>
          work({
            ...tenant,
            collection(definition) {
              const collection = tenant.collection(definition);
              if (definition.name !== "cache_entries") return collection;
              return {
                ...collection,
                async change(where, change, options) {
                  const changed = await collection.change(where, change, options);
                  if (change.set && "body" in change.set) await cache.invalidate(acme, { all: true });
                  return changed;
                },
              };
            },
          })),
    };
    const { answer } = await createCacheStore(purged, { clock: () => time.now }).through(
      acme,
      keyOf(),
      settings,
      () => Promise.resolve(answerOf("small")),
    );
    assert.equal(answer.body, "small");
  }));

test("purged by tag, by workflow, or all: of one organization", () =>
  withCache(async ({ cache }) => {
    const fill = async () => {
      for (const organization of [acme, globex]) {
        await cache.put(organization, keyOf({ n: 1 }), answerOf("1"), { ...settings, tags: ["a", "b"] });
        await cache.put(organization, keyOf({ n: 2 }), answerOf("2"), { ...settings, tags: ["b"] });
        const other = { ...keyOf(), workflow_id: crypto.randomUUID() };
        await cache.put(organization, other, answerOf("3"), { ...settings, tags: ["a"] });
      }
    };
    await fill();
    assert.equal(await cache.invalidate(acme, { tag: "a" }), 2);
    assert.equal(await cache.invalidate(acme, { workflow_id }), 1);
    assert.equal(await cache.invalidate(acme, { all: true }), 0);
    assert.equal((await cache.statistics(globex)).entries, 3);
  }));

test("an organization's cache keeps to its limit, whoever fills it; the oldest go first", () =>
  withCache(async (tools) => {
    const { cache, elsewhere, time } = tools;
    const processes = [cache, elsewhere(), elsewhere()];
    const limit = 100_000;
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        Array.from(
          { length: 30 },
          (_, n) =>
            processes[n % 3]?.put(acme, keyOf({ round, n }), answerOf("x".repeat(2000)), {
              ...settings,
              limit,
            }),
        ),
      );
      time.now += 1;
      const bytes = await storedBytes(tools);
      assert.ok(bytes <= limit, `${bytes} bytes`);
    }
    assert.ok(await storedBytes(tools) > 0.7 * limit, "and it is used");
    assert.equal((await cache.get(acme, keyOf({ round: 4, n: 29 })))?.state, "hit");
    assert.equal(await cache.get(acme, keyOf({ round: 0, n: 0 })), undefined);
    await cache.put(globex, keyOf(), answerOf("x"), { ...settings, limit });
    assert.equal((await cache.statistics(globex)).entries, 1);
  }));

test("what expired makes room: the count is put right when the limit is reached", () =>
  withCache(async (tools) => {
    const { cache, time } = tools;
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 10; n++) {
        await cache.put(acme, keyOf({ round, n }), answerOf("x".repeat(1000)), {
          ttl_seconds: 1,
          limit: 16_000,
        });
      }
      assert.equal((await cache.statistics(acme)).entries, 10, "none went that was good");
      time.now += 2000;
    }
  }));

test("not kept: too large for an entry, for the organization, or no success", () =>
  withCache(async ({ cache }) => {
    const large = answerOf("é".repeat(MAX_ENTRY_BYTES / 2) + "x");
    assert.equal(await cache.put(acme, keyOf(), large, settings), false);
    assert.equal(await cache.put(acme, keyOf(), answerOf("x".repeat(MAX_ENTRY_BYTES)), settings), true);
    assert.equal(
      await cache.put(acme, keyOf(), answerOf("x".repeat(5000)), { ...settings, limit: 5000 }),
      false,
    );
    const named = { ...answerOf("x"), content_type: "x".repeat(201) };
    assert.equal(await cache.put(acme, keyOf(), named, settings), false);
    let made = 0;
    const fail = () => Promise.resolve(answerOf(`${++made}`, 500));
    for (const expected of ["1", "2"]) {
      assert.equal((await cache.through(acme, keyOf({ n: 1 }), settings, fail)).answer.body, expected);
    }
  }));

test("hits and misses are counted", () =>
  withCache(async ({ cache }) => {
    const ask = () => cache.through(acme, keyOf(), settings, () => Promise.resolve(answerOf("1")));
    for (let n = 0; n < 4; n++) await ask();
    const { hits, misses, stale_hits, entries, bytes, workflows } = await cache.statistics(acme);
    assert.deepEqual([hits, misses, stale_hits, entries, bytes], [3, 1, 0, 1, 513]);
    assert.deepEqual(workflows, [{ workflow_id, entries: 1, bytes: 513 }]);
  }));

test("a store that fails is told, and no answer's failure", async () => {
  const full = () => Promise.reject(new Error("you are over your space quota"));
  const lines: Record<string, unknown>[] = [];
  const cache = createCacheStore({ run: full, transaction: full, ensure: full, close: full }, {
    log: (line) => void lines.push(line),
  });
  const make = () => Promise.resolve(answerOf("made"));
  const { answer, state } = await cache.through(acme, keyOf(), settings, make);
  assert.deepEqual([answer.body, state, lines[0]?.["event"]], ["made", "miss", "cache_failed"]);
  await assert.rejects(
    cache.through(acme, { ...keyOf(), workflow_version: 0 }, settings, make),
    { code: "validation_failed" },
  );
});

test("without MongoDB every answer is made", async () => {
  const mongo = createMongo({ uri: () => `mongodb://127.0.0.1:${closedPort()}/x`, selectionTimeoutMs: 50 });
  const cache = createCacheStore(createDocuments({ mongo, log: () => {} }));
  const { answer, state } = await cache.through(
    acme,
    keyOf(),
    settings,
    () => Promise.resolve(answerOf("made")),
  );
  assert.deepEqual([answer.body, state], ["made", "miss"]);
});
