import type { Sql } from "postgres";
import { AppError } from "./errors.ts";

export interface PostgresOptions {
  /** `postgresql://…`; undefined where the function was given none. */
  url: () => string | undefined;
  /** How long to wait for a connection, in whole seconds. Default 3. */
  connectTimeoutSeconds?: number;
}

/** The database itself, past the API and its row security: connected at first use and kept for later requests. */
export interface Postgres {
  /**
   * Runs `work` on the database.
   *
   * @throws {AppError} `database_unavailable` when it cannot be reached.
   */
  run<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function createPostgres({ url, connectTimeoutSeconds = 3 }: PostgresOptions): Postgres {
  let loading: Promise<Sql> | undefined;

  async function load(): Promise<Sql> {
    const address = url();
    if (!address) {
      throw new AppError("database_unavailable", { cause: new Error("SUPABASE_DB_URL is missing.") });
    }
    const { default: postgres } = await import("postgres");
    return postgres(address, {
      max: 4,
      connect_timeout: connectTimeoutSeconds,
      idle_timeout: 20,
      // The platform's pooler gives each transaction another session.
      prepare: false,
      onnotice: () => {},
    });
  }

  return {
    async run(work) {
      try {
        loading ??= load();
        loading.catch(() => loading = undefined);
        return await work(await loading);
      } catch (error) {
        throw isUnreachable(error) ? new AppError("database_unavailable", { cause: error }) : error;
      }
    },
    async close() {
      const sql = await loading?.catch(() => undefined);
      loading = undefined;
      await sql?.end({ timeout: 1 });
    },
  };
}

// postgres.js's own, the system's, and SQLSTATEs of a server that refuses or ends connections.
const unreachable =
  /^(CONNECT_TIMEOUT|CONNECTION_(CLOSED|ENDED|DESTROYED)|E(CONN|HOST|NET|TIMED|PIPE|AI_)\w*|ENOTFOUND|53300|57P0[1-3]|28(000|P01))$/;

function isUnreachable(error: unknown): boolean {
  return error instanceof Error && "code" in error && unreachable.test(String(error.code));
}
