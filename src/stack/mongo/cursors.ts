import { Long } from "bson";
import { failure } from "./errors.ts";
import { MAX_DOCUMENT } from "./values.ts";

/** A part of a result, as `find` and `getMore` answer it. */
export interface Batch {
  /** 0 when nothing is left. */
  id: Long;
  namespace: string;
  documents: Uint8Array[];
}

interface Cursor {
  namespace: string;
  rest: Uint8Array[];
  next: number;
  touched: number;
  session: string | undefined;
}

/** Results that are fetched in several parts. Each is what was there when it was asked for. */
export interface Cursors {
  /** The first part; the rest is kept for `more`. */
  open(
    namespace: string,
    documents: Uint8Array[],
    options: { batchSize?: number | undefined; single?: boolean; session?: string | undefined },
  ): Batch;
  /** @throws {MongoError} 43 when there is no such cursor. */
  more(id: bigint, namespace: string, batchSize: number | undefined): Batch;
  /** True when there was one. */
  kill(id: bigint): boolean;
  endSession(session: string): void;
  /** Closes those that nobody has asked for in a while. */
  expire(now: number): void;
}

const FIRST_BATCH = 101;
const IDLE_MS = 10 * 60_000;

export function createCursors(): Cursors {
  const cursors = new Map<bigint, Cursor>();
  // Numbers of an earlier run are never given out again.
  let last = BigInt(Date.now()) << 16n;

  function take(cursor: Cursor, most: number): Uint8Array[] {
    const from = cursor.next;
    let bytes = 0;
    while (cursor.next < cursor.rest.length && cursor.next - from < most) {
      bytes += (cursor.rest[cursor.next] as Uint8Array).length;
      if (bytes > MAX_DOCUMENT && cursor.next > from) break;
      cursor.next++;
    }
    return cursor.rest.slice(from, cursor.next);
  }

  const left = ({ next, rest }: Cursor) => next < rest.length;

  return {
    open(namespace, documents, { batchSize = FIRST_BATCH, single = false, session }) {
      const cursor: Cursor = { namespace, rest: documents, next: 0, touched: Date.now(), session };
      const first = take(cursor, batchSize);
      if (!left(cursor) || single) return { id: Long.ZERO, namespace, documents: first };
      last += 1n;
      cursors.set(last, cursor);
      return { id: Long.fromBigInt(last), namespace, documents: first };
    },
    more(id, namespace, batchSize = Number.POSITIVE_INFINITY) {
      const cursor = cursors.get(id);
      if (!cursor) throw failure(43, `cursor id ${id} not found`);
      if (cursor.namespace !== namespace) {
        throw failure(
          13,
          `Requested getMore on namespace '${namespace}', but cursor belongs to a different namespace ${cursor.namespace}`,
        );
      }
      cursor.touched = Date.now();
      const documents = take(cursor, batchSize === 0 ? Number.POSITIVE_INFINITY : batchSize);
      if (left(cursor)) return { id: Long.fromBigInt(id), namespace, documents };
      cursors.delete(id);
      return { id: Long.ZERO, namespace, documents };
    },
    kill: (id) => cursors.delete(id),
    endSession(session) {
      for (const [id, cursor] of cursors) if (cursor.session === session) cursors.delete(id);
    },
    expire(now) {
      for (const [id, { touched }] of cursors) if (now - touched > IDLE_MS) cursors.delete(id);
    },
  };
}
