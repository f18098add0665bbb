import { Timestamp } from "bson";
import type { Context, Engine } from "../engine.ts";
import { badValue, failure, MongoError, notSupported } from "../errors.ts";
import type { Membership } from "../sessions.ts";
import { Blocked } from "../storage/transactions.ts";
import { type Document, encode, isDocument, isNumber, toNumber } from "../values.ts";
import { aggregation } from "./aggregate.ts";
import { wholeNumber } from "./arguments.ts";
import { bulk } from "./bulk.ts";
import { collections } from "./collections.ts";
import type { Command, Reply } from "./command.ts";
import { reads } from "./reads.ts";
import { server } from "./server.ts";
import { writes } from "./writes.ts";

const commands: Record<string, Command> = {
  ...reads,
  ...writes,
  ...aggregation,
  ...bulk,
  ...collections,
  ...server,
};
const aliases = new Map(
  Object.keys(commands).map((name) => [name.toLowerCase(), name === "ismaster" ? "isMaster" : name]),
);

/** Commands of MongoDB's that this server has not; any other name is not known. */
const elsewhere = new Set(
  "createUser updateUser dropUser usersInfo grantRolesToUser createRole getParameter setParameter getLog top validate compact fsync currentOp killOp mapReduce planCacheClear replSetGetStatus replSetGetConfig serverStatus hostInfo profile geoSearch createSearchIndexes listSearchIndexes updateSearchIndex dropSearchIndex shardCollection enableSharding listCommands dataSize getClusterParameter rolesInfo whatsmyuri getCmdLineOpts".split(
    " ",
  ),
);

/** The fields that every command takes. */
const COMMON = new Set([
  "$db",
  "$readPreference",
  "$clusterTime",
  "lsid",
  "txnNumber",
  "autocommit",
  "startTransaction",
  "readConcern",
  "writeConcern",
  "maxTimeMS",
  "comment",
  "apiVersion",
  "apiStrict",
  "apiDeprecationErrors",
]);

/**
 * Runs a command.
 *
 * @throws {Blocked} when it has to wait for another's transaction, and then to be run again
 */
export function dispatch(engine: Engine, command: Document, deadline: number | undefined): Reply {
  let membership: Membership | undefined;
  try {
    const [given = ""] = Object.keys(command);
    const name = nameOf(given);
    const definition = commands[name] as Command;
    if (name !== given) command = { [name]: command[given], ...command };
    requireCommand(definition, name, given, command);

    const ending = name === "commitTransaction" || name === "abortTransaction";
    membership = ending ? undefined : engine.sessions.enter(command, name);
    if (membership?.transaction && !definition.inTransaction) {
      throw failure(263, `Cannot run '${name}' in a multi-document transaction.`);
    }
    requireConcerns(command, membership);
    if (membership?.answered) return membership.answered;

    const context: Context = {
      engine,
      database: command["$db"] as string,
      transaction: membership?.transaction,
      session: membership?.session,
      checkTime: timeCheck(deadline),
    };
    const { writes } = definition;
    if (!(typeof writes === "function" ? writes(command) : writes)) {
      engine.transactions.look(context.transaction);
      return definition.run(context, command);
    }
    const { session, retryable } = membership as Membership;
    const reply = engine.transactions.run(context.transaction, () => {
      const reply = definition.run(context, command);
      if (session !== undefined && retryable !== undefined) {
        engine.sessions.remember(session, retryable, reply instanceof Uint8Array ? reply : encode(reply));
      }
      return reply;
    });
    const failed = context.transaction && "writeErrors" in reply && session !== undefined;
    if (failed) engine.sessions.fail(session);
    return reply;
  } catch (error) {
    if (error instanceof Blocked) throw error;
    if (membership?.transaction && membership.session !== undefined) engine.sessions.fail(membership.session);
    return errorReply(error, membership?.transaction !== undefined);
  }
}

function nameOf(given: string): string {
  if (Object.hasOwn(commands, given)) return given;
  const name = aliases.get(given.toLowerCase());
  if (name) return name;
  if (elsewhere.has(given))
    throw failure(
      115,
      `The command ${given} is not supported by Nectar's development server; a real mongod has it`,
    );
  throw failure(59, `no such command: '${given}'`);
}

function requireCommand(definition: Command, name: string, given: string, command: Document): void {
  const database: unknown = command["$db"];
  if (typeof database !== "string" || !/^[^/\\. "$*<>:|?\0]{1,63}$/.test(database)) {
    throw failure(73, `Invalid database name: '${String(database)}'`);
  }
  if (definition.adminOnly && database !== "admin")
    throw failure(13, `${name} may only be run against the admin database.`);
  for (const field of Object.keys(command)) {
    if (field === name || field === given || COMMON.has(field) || definition.fields.includes(field)) continue;
    throw failure(40415, `BSON field '${name}.${field}' is an unknown field.`);
  }
  if (command["apiVersion"] !== undefined && command["apiVersion"] !== "1")
    throw failure(322, 'API version must be "1"');
  if (command["apiStrict"] === true) throw notSupported("apiStrict");
}

const READ_CONCERNS = new Set(["local", "available", "majority", "linearizable", "snapshot"]);

/** What is read has been acknowledged as safe: the weaker concerns are met by the strongest. */
function requireConcerns(command: Document, membership: Membership | undefined): void {
  const read: unknown = command["readConcern"];
  if (read !== undefined) {
    if (!isDocument(read)) throw failure(14, "readConcern must be an object");
    for (const name of Object.keys(read)) {
      if (name !== "level" && name !== "afterClusterTime" && name !== "provenance")
        throw notSupported(`readConcern's ${name}`);
    }
    const level: unknown = read["level"] ?? "local";
    if (typeof level !== "string" || !READ_CONCERNS.has(level))
      throw failure(9, `'${String(level)}' is not a valid read concern level`);
    if (membership?.transaction) {
      if (level === "linearizable" || level === "available")
        throw failure(
          72,
          "The readConcern level must be either 'local' (default), 'majority' or 'snapshot' in order to run in a transaction",
        );
    } else if (level === "snapshot") throw notSupported("readConcern snapshot outside of a transaction");
    if (read["afterClusterTime"] !== undefined && !(read["afterClusterTime"] instanceof Timestamp))
      throw badValue("afterClusterTime must be a timestamp");
  }
  const write: unknown = command["writeConcern"];
  if (write === undefined) return;
  if (!isDocument(write)) throw failure(14, "writeConcern must be an object");
  for (const name of Object.keys(write)) {
    if (!["w", "j", "wtimeout", "fsync", "provenance"].includes(name))
      throw failure(9, `unknown field in writeConcern: ${name}`);
  }
  const w: unknown = write["w"] ?? 1;
  const met = w === "majority" || (isNumber(w) && (toNumber(w) === 0 || toNumber(w) === 1));
  if (!met) throw failure(100, `Not enough data-bearing nodes for w: ${String(w)}; there is one`);
}

function timeCheck(deadline: number | undefined): () => void {
  if (deadline === undefined) return () => {};
  return () => {
    if (performance.now() > deadline) throw failure(50, "operation exceeded time limit");
  };
}

/** When a command's `maxTimeMS` is over, on the clock of `performance.now()`. */
export function deadlineOf(command: Document): number | undefined {
  try {
    const most = wholeNumber(command, "maxTimeMS");
    return most ? performance.now() + most : undefined;
  } catch {
    return undefined; // said when it runs
  }
}

export function errorReply(error: unknown, inTransaction = false): Document {
  if (error instanceof MongoError) {
    const { code, codeName, message, details } = error;
    return { ok: 0, errmsg: message, code, codeName, ...details };
  }
  if (error instanceof RangeError && /call stack/i.test(error.message)) {
    return { ok: 0, errmsg: "The command is nested too deeply", code: 15, codeName: "Overflow" };
  }
  console.error(error);
  const labels = inTransaction ? { errorLabels: [] } : {};
  return {
    ok: 0,
    errmsg: `Unexpected: ${(error as Error).message}`,
    code: 1,
    codeName: "InternalError",
    ...labels,
  };
}
