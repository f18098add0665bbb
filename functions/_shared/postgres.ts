import type { Sql } from "postgres";
import { AppError } from "./errors.ts";

export interface PostgresOptions {
  /** `postgresql://…`; undefined where the function was given none. */
  url: () => string | undefined;
  /** How long to wait for a connection, in whole seconds. Default 3. */
  connectTimeoutSeconds?: number;
  /** How many connections are opened at most. Default 4. */
  connections?: number;
}

/** The database itself, past the API and its row security: connected at first use and kept for later requests. */
export interface Postgres {
  /**
   * Runs `work` on one connection: what it sends at once is carried out in that order.
   *
   * @throws {AppError} `database_unavailable` when it cannot be reached.
   */
  run<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Lane {
  sql: Promise<Sql> | undefined;
  underWay: number;
}

export function createPostgres(
  { url, connectTimeoutSeconds = 3, connections = 4 }: PostgresOptions,
): Postgres {
  // Not a pool of the driver's, where any statement may go to any connection.
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
      onnotice: () => {},
    });
  }

  return {
    async run(work) {
      const lane = lanes.reduce((calmest, other) => other.underWay < calmest.underWay ? other : calmest);
      lane.underWay++;
      try {
        lane.sql ??= load();
        lane.sql.catch(() => lane.sql = undefined);
        return await work(await lane.sql);
      } catch (error) {
        throw isUnreachable(error) ? new AppError("database_unavailable", { cause: error }) : error;
      } finally {
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

// postgres.js's own, the system's, and SQLSTATEs of a server that refuses or ends connections.
const unreachable =
  /^(CONNECT_TIMEOUT|CONNECTION_(CLOSED|ENDED|DESTROYED)|E(CONN|HOST|NET|TIMED|PIPE|AI_)\w*|ENOTFOUND|53300|57P0[1-3]|28(000|P01))$/;

function isUnreachable(error: unknown): boolean {
  return error instanceof Error && "code" in error && unreachable.test(String(error.code));
}
