import type { Db, MongoClient } from "mongodb";
import { AppError } from "./errors.ts";

export interface MongoOptions {
  /** `mongodb://…`, naming the database; undefined where there is no MongoDB. */
  uri: () => string | undefined;
  /** How long to look for a server. Default 3,000 ms. */
  selectionTimeoutMs?: number;
}

/** The document store, connected at first use and kept for later requests. */
export interface Mongo {
  /**
   * Runs `work` on the database.
   *
   * @throws {AppError} `mongodb_unavailable` when there is no MongoDB or it cannot be reached.
   */
  run<T>(work: (database: Db) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function createMongo({ uri, selectionTimeoutMs = 3000 }: MongoOptions): Mongo {
  let connecting: Promise<MongoClient> | undefined;

  async function connect(): Promise<MongoClient> {
    const address = uri();
    if (!address) {
      throw new AppError("mongodb_unavailable", { message: "This backend runs without MongoDB." });
    }
    // The driver takes most of a second to load: only who needs it pays.
    const { MongoClient } = await import("mongodb");
    return await new MongoClient(address, {
      appName: "nectar",
      maxPoolSize: 10,
      serverSelectionTimeoutMS: selectionTimeoutMs,
      connectTimeoutMS: selectionTimeoutMs,
      // One that is frozen is found out by its silence, in this time and that of a connection.
      heartbeatFrequencyMS: 2000,
      writeConcern: { w: "majority" },
    }).connect();
  }

  return {
    async run(work) {
      try {
        connecting ??= connect();
        connecting.catch(() => connecting = undefined);
        return await work((await connecting).db());
      } catch (error) {
        throw isUnreachable(error) ? new AppError("mongodb_unavailable", { cause: error }) : error;
      }
    },
    async close() {
      const client = await connecting?.catch(() => undefined);
      connecting = undefined;
      await client?.close();
    },
  };
}

const unreachable = new Set([
  "MongoServerSelectionError",
  "MongoNetworkError",
  "MongoNetworkTimeoutError",
  "MongoOperationTimeoutError",
  "MongoPoolClearedError",
  "PoolClearedOnNetworkError",
  "MongoPoolClosedError",
  "MongoWaitQueueTimeoutError",
  "MongoServerClosedError",
  "MongoNotConnectedError",
]);

/** A server that is going down, or hands its part to another: what it says once the driver has tried again. */
const steppingDown = new Set([91, 189, 10107, 10058, 11600, 11602, 13435, 13436]);

// By name: the driver is imported only when it is used.
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // A write of many documents says no more than that it failed: why is inside.
  const { code, errorResponse } = error as { code?: unknown; errorResponse?: unknown };
  return unreachable.has(error.name) || steppingDown.has(Number(code)) ||
    // Of a connection that the server has ended a moment ago: the driver gives the socket's own error on as it is.
    code === "EPIPE" || isUnreachable(errorResponse);
}
