import { lookup } from "node:dns/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StackFailure } from "../failure.ts";
import { startOwnServer } from "./own-server.ts";

/** The MongoDB that functions will use, or the reason why there is none. */
export interface Mongo {
  /** Goes to functions as MONGODB_URI; absent: what needs MongoDB answers 503. */
  uri: string | undefined;
  /** For the person at the terminal. */
  description: string;
  /** The server's process, when it is ours. */
  pid: number | undefined;
  /** Resolves, with where to look, when a server of Nectar's own has ended by itself. */
  broken: Promise<string>;
  stop(): Promise<void>;
}

/** `find`: a real mongod where one can be had, else Nectar's own server. `own`: that. `none`: nothing at all. */
export type MongoChoice = "find" | "own" | "none";

export interface MongoOptions {
  /** One's own MongoDB, which comes before every choice. */
  uri: string | undefined;
  choice: MongoChoice;
  /** The stack's folder: the data goes into `mongo` below it. */
  directory: string;
  /** `false` trades durability for speed, where the server is Nectar's own. */
  durable: boolean;
  /** Is told of a process as soon as there is one. */
  onProcess: (pid: number) => void;
}

const SERVER_SELECTION_MS = 3_000;
const AUTHENTICATION_FAILED = 18;
/** What the router of a sharded cluster calls itself. */
const SHARDED = "isdbgrid";
const MONGOD_VERSION = "8.2.6";

const never = new Promise<never>(() => {});
const notOurs = { pid: undefined, broken: never, stop: async () => {} };

/**
 * Uses one's own MongoDB when `uri` is given; else a real mongod, downloaded once, where the internet is reachable; else
 * Nectar's own server.
 *
 * @throws {StackFailure} when the given one cannot be used, or Nectar's own does not start.
 */
export async function startMongo(options: MongoOptions): Promise<Mongo> {
  const { uri, choice } = options;
  if (uri) return useGiven(uri);
  if (choice === "none") {
    return { ...notOurs, uri: undefined, description: "absent: what needs it answers 503" };
  }
  if (choice === "find" && (await obtainable())) {
    const real = await startReal(options.directory).catch((error: Error) => error);
    if (!(real instanceof Error)) return real;
    const [reason] = real.message.split("\n");
    return startOwn(options, `, as mongod did not start (${reason})`);
  }
  return startOwn(options, "");
}

async function useGiven(uri: string): Promise<Mongo> {
  const { MongoClient, MongoServerSelectionError } = await import("mongodb");
  // Nothing before the last @: a password may hold one.
  const host = uri.replace(/^(.*@|[\w+]+:\/\/)/s, "").replace(/[/?].*$/s, "");
  try {
    const client = new MongoClient(uri, { serverSelectionTimeoutMS: SERVER_SELECTION_MS });
    const hello = await client
      .db("admin")
      .command({ hello: 1 })
      .finally(() => client.close());
    if (!hello["setName"] && hello["msg"] !== SHARDED) {
      throw new StackFailure(
        `MongoDB at ${host} is no replica set: there are no transactions.\nStart it with --replSet and initiate it (a set of one will do), or unset MONGODB_URI.`,
      );
    }
  } catch (error) {
    if (error instanceof StackFailure) throw error;
    const { name, code } = error as { name: string; code?: number };
    if (error instanceof MongoServerSelectionError) {
      throw new StackFailure(
        `MongoDB at ${host} does not answer.\nStart it, mend MONGODB_URI, or unset it: there is one of Nectar's own.`,
      );
    }
    throw new StackFailure(
      code === AUTHENTICATION_FAILED
        ? `MongoDB at ${host} refuses the user or the password in MONGODB_URI.`
        : `MONGODB_URI cannot be used (${name}).\nMend it (mongodb://host:27017/nectar), or unset it.`,
    );
  }
  return { ...notOurs, uri, description: `yours, at ${host}` };
}

/** A mongod is there already, or can be downloaded. */
async function obtainable(): Promise<boolean> {
  // The download tries for seven seconds before it says that there is no internet.
  const downloadable = await Promise.race([
    lookup("fastdl.mongodb.org").then(
      () => true,
      () => false,
    ),
    sleep(1_500, false, { ref: false }),
  ]);
  if (downloadable) return true;
  const { DryMongoBinary } = await import("mongodb-memory-server-core/lib/util/DryMongoBinary.js");
  const installed = await DryMongoBinary.locateBinary({ version: MONGOD_VERSION }).catch(() => undefined);
  return installed !== undefined;
}

async function startReal(directory: string): Promise<Mongo> {
  const { MongoMemoryReplSet } = await import("mongodb-memory-server-core");
  const { mkdir } = await import("node:fs/promises");
  const dbPath = path.join(directory, "mongo");
  await mkdir(dbPath, { recursive: true });
  const server = await MongoMemoryReplSet.create({
    binary: { version: MONGOD_VERSION },
    replSet: { storageEngine: "wiredTiger", name: "nectar" },
    instanceOpts: [{ dbPath, storageEngine: "wiredTiger" }],
  });
  return {
    uri: server.getUri("nectar"),
    description: "a real mongod, by mongodb-memory-server",
    pid: server.servers[0]?.instanceInfo?.instance.mongodProcess?.pid,
    broken: never,
    stop: async () => void (await server.stop({ doCleanup: false })),
  };
}

async function startOwn({ directory, durable, onProcess }: MongoOptions, why: string): Promise<Mongo> {
  const server = await startOwnServer({ directory: path.join(directory, "mongo"), durable, onProcess });
  return {
    uri: server.uri,
    description: `Nectar's own server${why}: docs/local-stack.md`,
    pid: server.pid,
    broken: server.exited.then(() => "Nectar's MongoDB server has ended by itself. What it said is above."),
    stop: server.stop,
  };
}
