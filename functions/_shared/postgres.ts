import type { PostgresError, Sql } from "postgres";
import { AppError } from "./errors.ts";

export interface PostgresOptions {
  /** `postgresql://…`; undefined where the function was given none. */
  url: () => string | undefined;
  /** How long to wait for a connection, in whole seconds. Default 3. */
  connectTimeoutSeconds?: number;
  /** How long to wait for an answer before the connection is taken for dead. Default 15. */
  answerTimeoutSeconds?: number;
  /** How many connections are opened at most. Default 4. */
  connections?: number;
}

/** The database itself, past the API and its row security: connected at first use and kept for later requests. */
export interface Postgres {
  /**
   * Runs `work` on one connection: what it sends at once is carried out in that order.
   *
   * @throws {AppError} `database_unavailable` when it cannot be reached, or does not answer.
   */
  run<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Lane {
  sql: Promise<Sql> | undefined;
  underWay: number;
}

export function createPostgres(
  { url, connectTimeoutSeconds = 3, answerTimeoutSeconds = 15, connections = 4 }: PostgresOptions,
): Postgres {
  // Not a pool of the driver's, where any statement may go to any connection. One that falls silent is ended alone.
  const lanes = Array.from({ length: connections }, (): Lane => ({ sql: undefined, underWay: 0 }));

  async function load(): Promise<Sql> {
    const address = url();
    if (!address) {
      throw new AppError("database_unavailable", { cause: new Error("SUPABASE_DB_URL is missing.") });
    }
    const { default: postgres } = await import("postgres");
    return postgres(address, {
      max: 1,
      connect_timeout: connectTimeoutSeconds,
      idle_timeout: 20,
      // The platform's pooler gives each transaction another session.
      prepare: false,
      // Asked for beside the first statement: a connection that fails then would take the process with it.
      fetch_types: false,
      onnotice: () => {},
    });
  }

  return {
    async run(work) {
      const lane = lanes.reduce((calmest, other) => other.underWay < calmest.underWay ? other : calmest);
      lane.underWay++;
      let timer: ReturnType<typeof setTimeout> | undefined;
      try {
        const connecting = lane.sql ??= load();
        connecting.catch(() => lane.sql = undefined);
        const sql = await connecting;
        // A server that went without a word leaves its connections open: everybody would wait for minutes.
        timer = setTimeout(() => {
          if (lane.sql === connecting) lane.sql = undefined;
          void sql.end({ timeout: 0 });
        }, answerTimeoutSeconds * 1000);
        return await work(sql);
      } catch (error) {
        throw isUnreachable(error) ? new AppError("database_unavailable", { cause: error }) : error;
      } finally {
        clearTimeout(timer);
        lane.underWay--;
      }
    },
    async close() {
      await Promise.all(lanes.map(async (lane) => {
        const sql = await lane.sql?.catch(() => undefined);
        lane.sql = undefined;
        await sql?.end({ timeout: 1 });
      }));
    },
  };
}

// postgres.js's own, and the system's.
const unreachable =
  /^(CONNECT_TIMEOUT|CONNECTION_(CLOSED|ENDED|DESTROYED)|E(CONN|HOST|NET|TIMED|PIPE|AI_)\w*|ENOTFOUND)$/;

function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, severity, severity_local } = error as Partial<PostgresError>;
  // Whatever its code, and poolers have their own: who says so refuses or ends the connection.
  return (severity ?? severity_local) === "FATAL" || unreachable.test(String(code));
}
