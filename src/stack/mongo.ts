import { lookup } from "node:dns/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StackFailure } from "./failure.ts";

/** The MongoDB that functions will use, or the reason why there is none. */
export interface Mongo {
  /** Goes to functions as MONGODB_URI; absent: what needs MongoDB answers 503. */
  uri: string | undefined;
  /** For the person at the terminal. */
  description: string;
  /** The server's process, when it is ours. */
  pid: number | undefined;
  stop(): Promise<void>;
}

const SERVER_SELECTION_MS = 3_000;
const AUTHENTICATION_FAILED = 18;
const MONGOD_VERSION = "8.2.6";

/** One's own MongoDB when `uri` is given; else a real mongod, downloaded once, where the internet is reachable. */
export async function startMongo(uri: string | undefined, directory: string): Promise<Mongo> {
  if (uri) return useGiven(uri);
  const { DryMongoBinary } = await import("mongodb-memory-server-core/lib/util/DryMongoBinary.js");
  const installed = await DryMongoBinary.locateBinary({ version: MONGOD_VERSION }).catch(() => undefined);
  if (!installed && !(await downloadable())) {
    return {
      uri: undefined,
      description: "absent, none can be had: what needs it answers 503",
      pid: undefined,
      stop: async () => {},
    };
  }
  return startOwn(directory);
}

async function useGiven(uri: string): Promise<Mongo> {
  const { MongoClient, MongoServerSelectionError } = await import("mongodb");
  // Nothing before the last @: a password may hold one.
  const host = uri.replace(/^(.*@|[\w+]+:\/\/)/s, "").replace(/[/?].*$/s, "");
  try {
    const client = new MongoClient(uri, { serverSelectionTimeoutMS: SERVER_SELECTION_MS });
    await client.connect().finally(() => client.close());
  } catch (error) {
    const { name, code } = error as { name: string; code?: number };
    if (error instanceof MongoServerSelectionError) {
      throw new StackFailure(
        `MongoDB at ${host} does not answer.\nStart it, mend MONGODB_URI, or unset it to go without.`,
      );
    }
    throw new StackFailure(
      code === AUTHENTICATION_FAILED
        ? `MongoDB at ${host} refuses the user or the password in MONGODB_URI.`
        : `MONGODB_URI cannot be used (${name}).\nMend it, or unset it to go without: mongodb://host:27017/nectar`,
    );
  }
  return { uri, description: `yours, at ${host}`, pid: undefined, stop: async () => {} };
}

// mongodb-memory-server tries for seven seconds before it says that there is no internet.
async function downloadable(): Promise<boolean> {
  const resolved = lookup("fastdl.mongodb.org").then(
    () => true,
    () => false,
  );
  return Promise.race([resolved, sleep(1_500, false, { ref: false })]);
}

async function startOwn(directory: string): Promise<Mongo> {
  const { MongoMemoryReplSet } = await import("mongodb-memory-server-core");
  const { mkdir } = await import("node:fs/promises");
  const dbPath = path.join(directory, "mongo");
  await mkdir(dbPath, { recursive: true });
  try {
    const server = await MongoMemoryReplSet.create({
      binary: { version: MONGOD_VERSION },
      replSet: { storageEngine: "wiredTiger", name: "nectar" },
      instanceOpts: [{ dbPath, storageEngine: "wiredTiger" }],
    });
    return {
      uri: server.getUri("nectar"),
      description: "a real mongod, by mongodb-memory-server",
      pid: server.servers[0]?.instanceInfo?.instance.mongodProcess?.pid,
      stop: async () => void (await server.stop({ doCleanup: false })),
    };
  } catch (error) {
    return {
      uri: undefined,
      description: `absent: mongod did not start (${(error as Error).message.split("\n")[0]})`,
      pid: undefined,
      stop: async () => {},
    };
  }
}
