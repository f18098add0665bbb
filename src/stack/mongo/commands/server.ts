import process from "node:process";
import { ObjectId } from "bson";
import type { Context } from "../engine.ts";
import { failure } from "../errors.ts";
import { type Document, MAX_DOCUMENT } from "../values.ts";
import type { Commands, Reply } from "./command.ts";

/** What the server says it is: the commands of this release are the ones it knows. */
const VERSION = "8.0.0";
const WIRE_VERSION = 25;
export const REPLICA_SET = "nectar";
export const MAX_MESSAGE = 48_000_000;

const ELECTION = new ObjectId("7fffffff0000000000000001");

/** A replica set of one: transactions and retryable writes need one. */
function hello({ engine }: Context): Document {
  return {
    helloOk: true,
    isWritablePrimary: true,
    ismaster: true,
    secondary: false,
    setName: REPLICA_SET,
    setVersion: 1,
    hosts: [engine.address],
    primary: engine.address,
    me: engine.address,
    electionId: ELECTION,
    maxBsonObjectSize: MAX_DOCUMENT,
    maxMessageSizeBytes: MAX_MESSAGE,
    maxWriteBatchSize: 100_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    minWireVersion: 0,
    maxWireVersion: WIRE_VERSION,
    readOnly: false,
    ok: 1,
  };
}

const greeting = {
  fields: [
    "helloOk",
    "client",
    "compression",
    "speculativeAuthenticate",
    "saslSupportedMechs",
    "loadBalanced",
    "topologyVersion",
    "maxAwaitTimeMS",
    "internalClient",
    "backpressure",
  ],
  run: hello,
};

function endSessions({ engine }: Context, ids: unknown): Reply {
  for (const session of engine.sessions.end(ids)) engine.cursors.endSession(session);
  return { ok: 1 };
}

const noUsers = () => {
  throw failure(
    18,
    "Authentication failed: this development server has no users. Leave the credentials out of the URI.",
  );
};

export const server: Commands = {
  hello: greeting,
  isMaster: greeting,
  ismaster: greeting,
  ping: { fields: [], run: () => ({ ok: 1 }) },
  buildInfo: {
    fields: [],
    run: () => ({
      version: VERSION,
      versionArray: VERSION.split(".").map(Number).concat(0),
      gitVersion: "nectar-development-server",
      modules: ["nectar"],
      bits: 64,
      debug: false,
      maxBsonObjectSize: MAX_DOCUMENT,
      ok: 1,
    }),
  },
  connectionStatus: {
    fields: ["showPrivileges"],
    run: () => ({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 }),
  },
  serverStatus: {
    fields: ["repl", "metrics", "locks"],
    run: ({ engine }) => ({
      host: engine.address,
      version: VERSION,
      process: "nectar",
      pid: process.pid,
      uptime: Math.floor((Date.now() - engine.started) / 1000),
      localTime: new Date(),
      ok: 1,
    }),
  },
  startSession: { fields: [], run: () => ({ ok: 1 }) },
  refreshSessions: { fields: [], run: () => ({ ok: 1 }) },
  endSessions: { fields: [], run: (context, command) => endSessions(context, command["endSessions"]) },
  killSessions: { fields: [], run: (context, command) => endSessions(context, command["killSessions"]) },
  commitTransaction: {
    fields: ["recoveryToken"],
    run: ({ engine }, command) => engine.sessions.commit(command),
  },
  abortTransaction: {
    fields: ["recoveryToken"],
    run: ({ engine }, command) => engine.sessions.abort(command),
  },
  saslStart: { fields: ["mechanism", "payload", "autoAuthorize", "options", "db"], run: noUsers },
  authenticate: { fields: ["mechanism", "user"], run: noUsers },
};
