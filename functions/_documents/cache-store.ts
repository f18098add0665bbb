import { inBackground } from "../_shared/background.ts";
import { AppError } from "../_shared/errors.ts";
import { describeError, type Log, logToConsole } from "../_shared/log.ts";
import { createCacheAccounts } from "./cache-accounts.ts";
import { cacheEntries, type CacheEntry, MAX_CONTENT_TYPE, MAX_ENTRY_BYTES } from "./cache-entries.ts";
import { cacheId, type CacheKey } from "./cache-key.ts";
import type { Documents, Tenant } from "./documents.ts";
import { refused } from "./refused.ts";
import { isDuplicate, onceMore } from "./tenant-collection.ts";
import { above, absent, anyOf, atMost, below, present } from "./where.ts";

/** An answer as it was given. */
export interface CachedAnswer {
  status: number;
  content_type: string;
  body: string;
}

export interface CacheSettings {
  ttl_seconds: number;
  /** How long an answer past its time is still given while a new one is made. Default 0. */
  stale_seconds?: number | undefined;
  tags?: readonly string[] | undefined;
  /** Most bytes of the organization's entries; null is no limit. */
  limit: number | null;
}

export interface Cached {
  answer: CachedAnswer;
  /** `stale`: past its time; a new one is being made. `miss`: made just now, here or by whom one waited for. */
  state: "hit" | "stale" | "miss";
}

export interface CacheStatistics {
  entries: number;
  bytes: number;
  workflows: { workflow_id: string; entries: number; bytes: number }[];
  hits: number;
  stale_hits: number;
  misses: number;
  /** Since when hits and misses are counted. */
  counted_since: Date | null;
}

/** What goes from the cache. */
export type Purge = { workflow_id: string } | { tag: string } | { all: true };

export type CacheStore = ReturnType<typeof createCacheStore>;

export interface CacheOptions {
  clock?: (() => number) | undefined;
  log?: Log | undefined;
  /** How long one process makes an answer before another may. Default 30,000. */
  leaseMs?: number | undefined;
}

/** What an entry takes beside its body. */
const AROUND = 512;
const NEVER = new Date(0);

const entries = (tenant: Tenant) => tenant.collection(cacheEntries);

/**
 * Answers of workflows, for as long as they are good. The cache is never the reason why something fails: without MongoDB
 * answers are made each time.
 */
export function createCacheStore(
  documents: Documents,
  { clock = Date.now, log = logToConsole, leaseMs = 30_000 }: CacheOptions = {},
) {
  const { run } = documents;
  const { count, written, shrink } = createCacheAccounts({ clock });
  const now = () => new Date(clock());
  /** What this process is making at the moment. */
  const flights = new Map<string, Promise<CachedAnswer>>();

  const find = async (tenant: Tenant, id: string): Promise<Cached | undefined> => {
    const found = await entries(tenant).findOne([
      { _id: id, body: present() },
      anyOf<CacheEntry>({ fresh_until: above(now()) }, { stale_until: above(now()) }),
    ]);
    if (!found) return undefined;
    const { status = 200, content_type = "", body = "", fresh_until } = found;
    const state = fresh_until.getTime() > clock() ? "hit" : "stale";
    return { answer: { status, content_type, body }, state };
  };

  const lookUp = (organizationId: string, id: string): Promise<Cached | undefined> =>
    run(organizationId, async (tenant) => {
      const found = await find(tenant, id);
      await count(tenant, found ? found.state === "hit" ? "hits" : "stale_hits" : "misses");
      return found;
    });

  /** What is kept for a key, if it is still good or may be given stale. */
  const get = async (organizationId: string, key: CacheKey): Promise<Cached | undefined> =>
    await lookUp(organizationId, await idOf(organizationId, key));

  /** Keeps an answer. False when it is larger than an entry or the organization's cache may be, or no success. */
  const put = (
    organizationId: string,
    key: CacheKey,
    answer: CachedAnswer,
    settings: CacheSettings,
  ): Promise<boolean> =>
    run(
      organizationId,
      async (tenant) => keep(tenant, await cacheId(tenant.organizationId, key), key, answer, settings),
    );

  /**
   * The answer to a key: what is kept, else what `make` gives. Of any number who ask at once, in any number of processes,
   * one makes it; the others wait for it, or take the stale one. What was made while it was purged is given, and not kept.
   */
  async function through(
    organizationId: string,
    key: CacheKey,
    settings: CacheSettings,
    make: () => Promise<CachedAnswer>,
  ): Promise<Cached> {
    const id = await idOf(organizationId, key);
    const found = await unlessBroken(() => lookUp(organizationId, id));
    if (found?.state === "hit") return found;
    if (found) {
      if (!flights.has(id)) inBackground(refresh());
      return found;
    }
    return { answer: await shared(() => fill()), state: "miss" };

    function shared(work: () => Promise<CachedAnswer>): Promise<CachedAnswer> {
      const flight = flights.get(id) ?? work().finally(() => flights.delete(id));
      flights.set(id, flight);
      return flight;
    }

    async function refresh() {
      try {
        const lease = crypto.randomUUID();
        // Taken before the next request looks: else each would ask for the lease.
        await shared(async () =>
          await acquire(lease) ? await makeAndKeep(lease) : found?.answer as CachedAnswer
        );
      } catch (error) {
        log({
          level: "warn",
          event: "cache_refresh_failed",
          organization: organizationId,
          error: describeError(error),
        });
      }
    }

    async function fill(): Promise<CachedAnswer> {
      const lease = crypto.randomUUID();
      const deadline = clock() + leaseMs;
      for (let pause = 20;; pause = Math.min(2 * pause, 250)) {
        const mine = await unlessBroken(() => acquire(lease));
        if (mine === undefined) return await make();
        if (mine) return await makeAndKeep(lease);
        const made = await unlessBroken(() => run(organizationId, (tenant) => find(tenant, id)));
        if (made) return made.answer;
        // Who makes it is slower than its lease: nobody waits longer than that.
        if (clock() > deadline) return await make();
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }

    /** True when it is this call that makes the answer. */
    async function acquire(lease: string): Promise<boolean> {
      const until = new Date(clock() + leaseMs);
      try {
        await run(organizationId, (tenant) =>
          // One who looked before another made it finds it fresh now: that is a duplicate too.
          entries(tenant).change({ _id: id, lease_until: below(now()), fresh_until: atMost(now()) }, {
            set: { lease, lease_until: until },
            raise: { expires_at: until },
            setOnInsert: {
              ...partsOf(key),
              tags: tagsOf(settings),
              bytes: 0,
              made_at: now(),
              fresh_until: NEVER,
            },
          }, { upsert: true }));
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw error;
      }
    }

    async function makeAndKeep(lease: string): Promise<CachedAnswer> {
      const release = () =>
        unlessBroken(() =>
          run(organizationId, async (tenant) => {
            await entries(tenant).removeAll({ _id: id, lease, body: absent() });
            await entries(tenant).changeAll({ _id: id, lease }, {
              set: { lease_until: NEVER },
              unset: ["lease"],
            });
          })
        );
      let answer: CachedAnswer;
      try {
        answer = await make();
      } catch (error) {
        await release();
        throw error;
      }
      const kept = await unlessBroken(() =>
        run(organizationId, (tenant) => keep(tenant, id, key, answer, settings, lease))
      );
      if (!kept) await release();
      return answer;
    }
  }

  /** Deletes entries, and says how many. What is being made meanwhile is not kept. */
  const invalidate = (organizationId: string, what: Purge): Promise<number> =>
    run(organizationId, async (tenant) => {
      const removed = await entries(tenant).removeAll(
        "all" in what ? {} : "tag" in what ? { tags: what.tag } : { workflow_id: what.workflow_id },
      );
      await shrink(tenant, Number.MAX_SAFE_INTEGER);
      return removed;
    });

  const statistics = (organizationId: string): Promise<CacheStatistics> =>
    run(organizationId, async (tenant) => {
      const { hits, stale_hits, misses, counted_since } = await written(tenant);
      const groups = await entries(tenant).totals({ body: present(), expires_at: above(now()) }, {
        by: "workflow_id",
        sum: ["bytes"],
      });
      const workflows = groups.map(({ key, count, sums }) => ({
        workflow_id: String(key),
        entries: count,
        bytes: sums["bytes"] ?? 0,
      }));
      const sum = (name: "entries" | "bytes") => workflows.reduce((total, each) => total + each[name], 0);
      return {
        entries: sum("entries"),
        bytes: sum("bytes"),
        workflows,
        hits,
        stale_hits,
        misses,
        counted_since,
      };
    });

  async function keep(
    tenant: Tenant,
    id: string,
    key: CacheKey,
    { status, content_type, body }: CachedAnswer,
    settings: CacheSettings,
    lease?: string,
  ): Promise<boolean> {
    if (typeof body !== "string") throw refused("body", "expected text");
    if (![settings.ttl_seconds, settings.stale_seconds ?? 0].every(isDuration)) {
      throw refused("ttl_seconds", "expected seconds");
    }
    const size = new TextEncoder().encode(body).length;
    const bytes = size + AROUND;
    const { limit, ttl_seconds, stale_seconds = 0 } = settings;
    const tooLarge = size > MAX_ENTRY_BYTES || content_type.length > MAX_CONTENT_TYPE ||
      (limit !== null && bytes > limit);
    if (tooLarge || status < 200 || status > 299) return false;
    const at = clock();
    const stale_until = new Date(at + 1000 * (ttl_seconds + stale_seconds));
    const entry = {
      ...partsOf(key),
      tags: tagsOf(settings),
      status,
      content_type,
      body,
      bytes,
      made_at: new Date(at),
      fresh_until: new Date(at + 1000 * ttl_seconds),
      stale_until,
      expires_at: stale_until,
      lease_until: NEVER,
    };
    const before = await onceMore(() =>
      entries(tenant).change({ _id: id, ...(lease !== undefined && { lease }) }, {
        set: entry,
        unset: ["lease"],
      }, {
        upsert: lease === undefined,
        returning: "before",
      })
    );
    // The lease's own document is there unless the key was purged, or another took the lease over.
    if (!before && lease !== undefined) return false;
    // Never less, or a sum that is put right meanwhile would become too small.
    const total = (await written(tenant, Math.max(0, bytes - (before?.bytes ?? 0)))).bytes;
    if (limit !== null && total > limit) await shrink(tenant, limit);
    return true;
  }

  /** Undefined when the store is away or fails. What the caller said wrong is thrown. */
  async function unlessBroken<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const isAway = error instanceof AppError && error.code === "mongodb_unavailable";
      if (error instanceof AppError && !isAway) throw error;
      if (!isAway) log({ level: "warn", event: "cache_failed", error: describeError(error) });
      return undefined;
    }
  }

  return { get, put, through, invalidate, statistics };
}

const partsOf = (
  { workflow_id, workflow_version }: CacheKey,
): Pick<CacheEntry, "workflow_id" | "workflow_version"> => ({
  workflow_id: workflow_id.toLowerCase(),
  workflow_version,
});
const idOf = (organizationId: string, key: CacheKey) => cacheId(String(organizationId).toLowerCase(), key);
const tagsOf = ({ tags = [] }: CacheSettings) => [...new Set(tags)];

const isDuration = (seconds: unknown) => typeof seconds === "number" && seconds >= 0 && seconds <= 1e9;
