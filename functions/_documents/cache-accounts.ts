import { cacheEntries, type CacheUsage, cacheUsage } from "./cache-entries.ts";
import type { Tenant } from "./documents.ts";
import { onceMore } from "./tenant-collection.ts";
import { atMost, oneOf, present } from "./where.ts";

/** How full the cache is after the oldest entries went. */
const KEPT = 0.9;
const BATCH = 1000;
/** Hits and misses of a process, until they are written. */
const MOST_COUNTED = 1000;

type Counted = Record<"hits" | "stale_hits" | "misses", number>;

const entries = (tenant: Tenant) => tenant.collection(cacheEntries);
const usage = (tenant: Tenant) => tenant.collection(cacheUsage);

/** What each organization's cache holds and how often it helped, and how it keeps to its limit. */
export function createCacheAccounts({ clock }: { clock: () => number }) {
  const counted = new Map<string, Counted>();

  async function count(tenant: Tenant, what: keyof Counted): Promise<void> {
    const { organizationId } = tenant;
    const counts = counted.get(organizationId) ?? { hits: 0, stale_hits: 0, misses: 0 };
    counts[what]++;
    counted.set(organizationId, counts);
    const sum = counts.hits + counts.stale_hits + counts.misses;
    if (sum >= MOST_COUNTED || counted.size > MOST_COUNTED) await written(tenant);
  }

  /** Writes what was counted here, with a change of the bytes, and gives what it all comes to. */
  async function written(tenant: Tenant, bytes = 0): Promise<CacheUsage> {
    const counts = counted.get(tenant.organizationId) ?? { hits: 0, stale_hits: 0, misses: 0 };
    counted.delete(tenant.organizationId);
    const now = await onceMore(() =>
      usage(tenant).change({ _id: tenant.organizationId }, {
        increment: { bytes, ...counts },
        setOnInsert: { counted_since: new Date(clock()) },
      }, { upsert: true })
    );
    if (!now) throw new Error("What was made is gone.");
    return now;
  }

  /**
   * Lets the oldest entries go until the rest fits, and puts the sum right. An entry is written before it is counted, and the
   * sum is replaced only where nobody counted since it was read: so it is never too small.
   */
  async function shrink(tenant: Tenant, limit: number): Promise<void> {
    await entries(tenant).removeAll({ expires_at: atMost(new Date(clock())) });
    for (let round = 0; round < 100; round++) {
      const known = await usage(tenant).findOne({ _id: tenant.organizationId });
      // Before the sum: of two at once, one that comes late then takes what the other took, and no more.
      const oldest = await entries(tenant).find({ body: present() }, {
        fields: ["_id", "bytes"],
        sort: { made_at: 1 },
        limit: BATCH,
      });
      const [total] = await entries(tenant).totals({}, { sum: ["bytes"] });
      const bytes = total?.sums["bytes"] ?? 0;
      if (bytes <= limit) {
        if (!known) return;
        const right = await usage(tenant).change({ _id: known._id, bytes: known.bytes }, { set: { bytes } });
        if (right) return;
        continue;
      }
      let excess = bytes - KEPT * limit;
      const going = oldest.filter((entry) => {
        const goes = excess > 0;
        if (goes) excess -= entry.bytes;
        return goes;
      });
      if (going.length === 0) return;
      await entries(tenant).removeAll({ _id: oneOf(going.map(({ _id }) => _id)) });
    }
  }

  return { count, written, shrink };
}
