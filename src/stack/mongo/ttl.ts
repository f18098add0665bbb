import type { Engine } from "./engine.ts";
import { inverted, keyOf, successor, Tag } from "./keys.ts";
import { Blocked } from "./storage/transactions.ts";

/** Removes expired documents, and ends transactions, sessions and cursors that nobody comes back to. */
export function startHousekeeping(engine: Engine, everyMs: number): () => void {
  const timer = setInterval(() => {
    const now = Date.now();
    engine.transactions.look(undefined);
    engine.sessions.expire(now);
    engine.cursors.expire(now);
    removeExpired(engine, now);
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

const MOST_AT_ONCE = 1_000;

/** Those whose earliest date in a TTL index is old enough. Values that are no dates never expire. */
export function removeExpired({ catalog, records, transactions }: Engine, now: number): void {
  for (const collection of catalog.all()) {
    for (const index of collection.indexes) {
      const seconds = index.spec.expireAfterSeconds;
      if (seconds === undefined) continue;
      const descending = (index.fields[0]?.direction ?? 1) < 0;
      const dates = Buffer.of(Tag.date);
      const limit = successor(keyOf(new Date(now - seconds * 1_000)));
      const [from, to] = descending ? [inverted(limit), successor(inverted(dates))] : [dates, limit];
      const expired: number[] = [];
      for (const { record } of records.between(collection, index, from, to)) {
        expired.push(record);
        if (expired.length >= MOST_AT_ONCE) break;
      }
      for (const record of new Set(expired)) {
        try {
          transactions.run(undefined, () => transactions.write(undefined, collection, record, undefined));
        } catch (error) {
          if (!(error instanceof Blocked)) throw error; // a transaction has it: the next time
        }
      }
    }
  }
}
