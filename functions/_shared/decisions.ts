import type { Postgres } from "./postgres.ts";

/** What a key asks to do. */
export interface Request {
  /** SHA-256 of the key. */
  hash: Uint8Array;
  /** The permission that the key must have. */
  scope: string;
  /** What is counted, such as `api_requests`: a metric that plans grant so much of in a month. */
  metric: string;
  context: RequestContext;
}

/** What a key may be restricted to, and the name of the request. Where something is not known, it is left out. */
export interface RequestContext {
  /** Names this one request for 15 minutes: asked again by the same id, it is counted once. Never the caller's own. */
  request_id?: string;
  ip?: string;
  origin?: string;
  workflow_id?: string;
}

/** Why a request is refused. */
export type Refusal =
  | "invalid_key"
  | "expired"
  | "revoked"
  | "forbidden_scope"
  | "forbidden_ip"
  | "forbidden_origin"
  | "rate_limited"
  | "quota_exceeded"
  | "organization_closed"
  | "payment_required";

/** Whose key it is, and what it may still do. */
export interface Decision {
  allowed: boolean;
  code: "allowed" | Refusal;
  organizationId: string | null;
  applicationId: string | null;
  keyId: string | null;
  environment: "live" | "test" | null;
  /** Of the quota of the period, or after `rate_limited` of the burst; null is no limit. */
  limit: number | null;
  remaining: number | null;
  /** When there is more again. */
  resetAt: Date | null;
  /** Seconds until it is worth trying again. */
  retryAfter: number | null;
  /** Requests in a burst, and how many are left of it; null where there is no limit, or nobody asked. */
  rateLimit: number | null;
  rateRemaining: number | null;
}

/** Budget taken in advance. */
export interface Lease {
  id: string;
  granted: number;
  /** For how long it may be spent from the answer on: less than was asked for where the month ends, or what the plan grants. */
  seconds: number;
  /** Whether the key is good for some addresses, origins or workflows alone. */
  restricted: boolean;
}

/** Budget taken in advance, or why there is none. */
export interface Grant {
  decision: Decision;
  lease: Lease | undefined;
}

/** The database's answers: each call is one round trip. Throws `database_unavailable` when it is away. */
export interface Decisions {
  authorize(request: Request, cost: number): Promise<Decision>;
  lease(request: Request, amount: number, ttlSeconds: number): Promise<Grant>;
  /** False when the lease had been returned or settled. */
  giveBack(leaseId: string, spent: number): Promise<boolean>;
}

export function createDecisions(postgres: Postgres): Decisions {
  return {
    async authorize({ hash, scope, metric, context }, cost) {
      const row = await askAndAwaitDisk(
        postgres,
        `select *, set_config('synchronous_commit', 'off', true) from private.authorize_request(${
          bytes(hash)
        }, ${text(scope)}, ${text(metric)}, ${number(cost)}, ${text(JSON.stringify(context))}::jsonb)`,
      );
      return toDecision(row);
    },
    async lease({ hash, scope, metric, context }, amount, ttlSeconds) {
      const row = await ask(
        postgres,
        `select *, extract(epoch from expires_at - clock_timestamp())::float8 as seconds from public.lease_budget(${
          bytes(hash)
        }, ${text(scope)}, ${text(metric)}, ${number(amount)}, ${number(ttlSeconds)}, ${
          text(JSON.stringify(context))
        }::jsonb)`,
      );
      const lease = row["lease_id"]
        ? {
          id: String(row["lease_id"]),
          granted: Number(row["granted"]),
          seconds: Number(row["seconds"]),
          restricted: row["restricted"] === true,
        }
        : undefined;
      return { decision: toDecision(row), lease };
    },
    async giveBack(leaseId, spent) {
      const row = await ask(
        postgres,
        `select private.return_lease(${text(leaseId)}::uuid, ${number(spent)}) as returned`,
      );
      return row["returned"] === true;
    },
  };
}

type Row = Record<string, unknown>;

// Parameters would cost a round trip of their own: the platform's pooler keeps no prepared statements, so their types
// would be asked for each time. Every value is written in hexadecimal digits, and none can end its literal.
const digits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const hex = (value: Uint8Array) => value.reduce((written, byte) => written + digits[byte], "");
const bytes = (value: Uint8Array) => `'\\x${hex(value)}'::bytea`;
const text = (value: string) => `convert_from(${bytes(new TextEncoder().encode(value))}, 'UTF8')`;
const number = (value: number) => String(Math.trunc(value));

async function ask(postgres: Postgres, statement: string): Promise<Row> {
  const [row] = await postgres.run((sql) => sql.unsafe<Row[]>(statement));
  if (!row) throw new Error("The database gave no decision.");
  return row;
}

/**
 * For a statement that commits without waiting for the disk: the counters are let go before the disk has the decision,
 * and only the answer waits for it. Otherwise each request of an organization would wait for the disk after the one
 * before. Both statements travel at once, on one connection.
 */
async function askAndAwaitDisk(postgres: Postgres, statement: string): Promise<Row> {
  const [[row]] = await postgres.run((sql) =>
    Promise.all([sql.unsafe<Row[]>(statement), sql.unsafe("select private.await_disk()")])
  );
  if (!row) throw new Error("The database gave no decision.");
  return row;
}

const orNull = (value: unknown) => value === null || value === undefined ? null : Number(value);

function toDecision(row: Row): Decision {
  return {
    allowed: row["allowed"] === true,
    code: row["code"] as Decision["code"],
    organizationId: row["organization_id"] as string | null,
    applicationId: row["application_id"] as string | null,
    keyId: row["key_id"] as string | null,
    environment: row["environment"] as Decision["environment"],
    limit: orNull(row["limit"]),
    remaining: orNull(row["remaining"]),
    resetAt: row["reset_at"] as Date | null,
    retryAfter: orNull(row["retry_after"]),
    rateLimit: orNull(row["rate_limit"]),
    rateRemaining: orNull(row["rate_remaining"]),
  };
}
