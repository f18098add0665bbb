import { z } from "zod";
import type { Postgres } from "../_shared/postgres.ts";
import type { StripeObject } from "../_shared/stripe-objects.ts";

/** What came of an event. */
const result = z.object({
  outcome: z.enum(["applied", "stale", "duplicate", "unlinked", "wrong_mode", "ignored"]),
  changed: z.boolean(),
});
export type Result = z.infer<typeof result>;

const ticket = z.object({
  ticket: z.string(),
  status: z.enum(["applied", "ignored", "failed", "dead"]).nullable(),
});

const kept = z.object({
  id: z.string(),
  type: z.string(),
  status: ticket.shape.status.unwrap(),
  attempts: z.number(),
  /** The event's JSON; null when it was dropped, a month after it was applied. */
  payload: z.string().nullable(),
});
export type KeptEvent = z.infer<typeof kept>;

/** Which events are to be replayed. */
export interface Selection {
  ids?: string[] | undefined;
  dead?: boolean | undefined;
  /** Failed, dead and unlinked ones received since then: an ISO time. */
  since?: string | undefined;
  /** The last one of the page before. */
  after?: string | undefined;
  limit: number;
}

/** The database's side of events. Each call is one statement, and so one transaction. */
export interface Ledger {
  /** Drawn before an object is fetched: of two states, the one with the higher ticket is the later one. */
  ticket(eventId: string): Promise<z.infer<typeof ticket>>;
  /** Claims the event, stores the object's state and marks the event, or does nothing of it. */
  apply(event: string, ticket: string | null, object: StripeObject | { kind: "none" }): Promise<Result>;
  /** Stores an object's state without an event. */
  applyObject(ticket: string, object: StripeObject): Promise<Result>;
  /** Keeps what could not be applied. */
  fail(event: string, error: string): Promise<void>;
  toReplay(selection: Selection): Promise<KeptEvent[]>;
}

export function createLedger(database: Postgres): Ledger {
  return {
    ticket: (eventId) =>
      database.run(async (sql) => {
        // A statement without parameters takes one round trip instead of two; the id is letters, digits and underscores.
        if (!/^evt_\w{1,200}$/.test(eventId)) throw new Error("An event's id is evt_….");
        const [row] = await sql.unsafe(`select ticket, status from public.stripe_ticket('${eventId}')`);
        return ticket.parse(row);
      }),
    apply: (event, ticket, object) =>
      database.run(async (sql) => {
        const [row] = await sql`
          select public.apply_stripe_event(
            ${storable(event)}::text::jsonb, ${ticket}::bigint, ${json(object)}::text::jsonb
          ) as result`;
        return result.parse(row?.["result"]);
      }),
    applyObject: (ticket, object) =>
      database.run(async (sql) => {
        const [row] = await sql`
          select public.apply_stripe_object(${ticket}::bigint, ${json(object)}::text::jsonb) as result`;
        return result.parse(row?.["result"]);
      }),
    fail: (event, error) =>
      database.run(async (sql) => {
        await sql`select public.fail_stripe_event(${storable(event)}::text::jsonb, ${error})`;
      }),
    toReplay: ({ ids, dead, since, after, limit }) =>
      database.run(async (sql) => {
        const rows = await sql`
          select id, type, status, attempts, payload::text as payload
          from public.stripe_events_to_replay(
            string_to_array(${ids?.join() ?? null}, ','), ${dead ?? false}, ${
          since ?? null
        }::timestamptz, ${limit}::integer, ${after ?? null}
          )`;
        return rows.map((row) => kept.parse(row));
      }),
  };
}

const json = (object: object) => storable(JSON.stringify(object));

/**
 * JSON knows the null character and halves of surrogate pairs, PostgreSQL's text does not: a name that was cut in the
 * middle must not stop the event for good.
 */
function storable(text: string): string {
  if (!text.includes("\\u")) return text;
  // Written anew, whole pairs are characters, and what is still escaped is a half.
  return JSON.stringify(JSON.parse(text)).replace(
    /(?<!\\)((?:\\\\)*)\\u(0000|d[89a-f][0-9a-f]{2})/g,
    (_, before, code) => before + (code === "0000" ? "" : "\ufffd"),
  );
}
