import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { parseEnv } from "node:util";
import { StackFailure } from "./failure.ts";
import { type FunctionsHost, startFunctionsHost } from "./functions/host.ts";
import { type Gateway, type Mail, startGateway } from "./gateway/gateway.ts";
import { loadKeys, type ProjectKeys, publicJwks } from "./keys.ts";
import { type Mongo, startMongo } from "./mongo.ts";
import { projectSettings } from "./options.ts";
import { isFree } from "./ports.ts";
import { pushMigrations } from "./postgres/migrations.ts";
import { type PostgresServer, removeCluster, startPostgres } from "./postgres/server.ts";
import { repository } from "./repository.ts";
import { forgetRunning, recordRunning, takeOver } from "./running.ts";
import { startWatchdog } from "./watchdog-client.ts";

export interface StackOptions {
  /** Folder for data and keys. */
  directory: string;
  /** The gateway's port. */
  port: number;
  databasePort: number;
  mongoUri?: string | undefined;
  /** `false`: no MongoDB but a given one. Default true. */
  findMongo?: boolean;
  /** `false` trades durability for speed. Default true. */
  durable?: boolean;
  /** Throw the data away first. */
  reset?: boolean;
  /** Reload functions when their files change. */
  watch?: boolean;
  /** Wraps each step of the start, to show it. */
  step?: <T>(name: string, work: () => Promise<T>, result: (value: T) => string) => Promise<T>;
  onMail?: (mail: Mail) => void;
  onFunctionLine?: (name: string, line: string) => void;
}

export interface Stack {
  url: string;
  keys: ProjectKeys;
  /** For `postgres`, which is no superuser. */
  databaseUrl: string;
  mongo: Mongo;
  functions: string[];
  /** Resolves, with the reason, when a part that nothing works without has ended by itself. */
  broken: Promise<string>;
  /** Ends everything that was started, in order. */
  stop(): Promise<void>;
}

/**
 * Starts the whole backend: PostgreSQL with all migrations and the seed, MongoDB, edge functions, and the gateway
 * before them.
 *
 * @throws {StackFailure} with one clear message; whatever had started by then is stopped.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { directory, port, databasePort, step = (_name, work) => work() } = options;
  mkdirSync(directory, { recursive: true });
  await takeOver(directory);
  for (const [wanted, variable] of [
    [port, "NECTAR_PORT"],
    [databasePort, "NECTAR_DB_PORT"],
  ] as const) {
    if (!(await isFree(wanted))) {
      throw new StackFailure(`Port ${wanted} is in use. Free it, or choose another: ${variable}=… npm start`);
    }
  }
  const clusterDirectory = path.join(directory, "postgres");
  if (options.reset) {
    removeCluster(clusterDirectory);
    rmSync(path.join(directory, "mongo"), { recursive: true, force: true });
  }

  const url = `http://127.0.0.1:${port}`;
  const watchdog = startWatchdog();
  const started: { stop(): Promise<void> }[] = [];
  const processes = { database: [] as number[], mongo: [] as number[], functions: [] as number[] };
  const noteProcesses = () => {
    const all = Object.values(processes).flat();
    recordRunning(directory, url, all);
    watchdog.watch(all);
  };
  const stop = async () => {
    for (const part of started.splice(0).reverse()) await part.stop();
    watchdog.release();
    forgetRunning(directory);
  };

  try {
    const keys = await loadKeys(path.join(directory, "keys.json"));
    const settings = projectSettings();

    const database = await step(
      "PostgreSQL",
      async () => {
        const server = await startPostgres({
          directory: clusterDirectory,
          port: databasePort,
          durable: options.durable ?? true,
        });
        started.push(server);
        processes.database = [server.pid];
        noteProcesses();
        return server;
      },
      (server: PostgresServer) => `17 on port ${databasePort}${server.created ? ", a new cluster" : ""}`,
    );
    const databaseUrl = database.url("postgres");
    await step(
      "Migrations",
      () => pushMigrations(databaseUrl, { seed: true }),
      () => "up to date, seed included",
    );

    const mongo = await step(
      "MongoDB",
      async () => {
        const found =
          options.mongoUri || options.findMongo !== false
            ? await startMongo(options.mongoUri, directory)
            : absentMongo;
        started.push(found);
        processes.mongo = found.pid ? [found.pid] : [];
        noteProcesses();
        return found;
      },
      ({ description }) => description,
    );

    const functions = await step(
      "Functions",
      async () => {
        const host = await startFunctionsHost({
          directory: repository("functions"),
          environment: {
            ...developersEnvironment(settings.auth.siteUrl),
            ...operatorsEnvironment(),
            ...functionEnvironment(url, keys, databaseUrl, mongo.uri),
          },
          log: options.onFunctionLine ?? (() => {}),
          watch: options.watch ?? false,
          onProcesses: (pids) => {
            processes.functions = pids;
            noteProcesses();
          },
        });
        started.push({ stop: () => host.close() });
        return host;
      },
      ({ names }: FunctionsHost) => names.join(", "),
    );

    await step(
      "Gateway",
      async () => {
        const gateway = await startGateway({
          port,
          databaseUrl: database.url,
          keys,
          functions,
          ...settings,
          onMail: options.onMail,
        });
        started.push({ stop: () => gateway.close() });
        return gateway;
      },
      (gateway: Gateway) => gateway.url,
    );

    const broken = database.exited.then(
      () => `PostgreSQL has ended; its log is ${database.directory}/server.log`,
    );
    return { url, keys, databaseUrl, mongo, functions: functions.names, broken, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const absentMongo: Mongo = { uri: undefined, description: "absent", pid: undefined, stop: async () => {} };

/** The environment that the platform gives its functions. */
function functionEnvironment(
  url: string,
  keys: ProjectKeys,
  databaseUrl: string,
  mongoUri: string | undefined,
): Record<string, string> {
  return {
    SUPABASE_URL: url,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secretKey }),
    SUPABASE_JWKS: JSON.stringify(publicJwks(keys)),
    SUPABASE_DB_URL: databaseUrl,
    ...(mongoUri ? { MONGODB_URI: mongoUri } : {}),
  };
}

/** What an operator sets, and a newcomer need not: links lead to a page on this machine, mails go to the log. */
function developersEnvironment(siteUrl: string): Record<string, string> {
  return { APP_URL: siteUrl, NECTAR_CONSOLE_MAIL: "1" };
}

/** `functions/.env`: what `supabase secrets set` is on the platform. */
function operatorsEnvironment(): Record<string, string> {
  const file = repository("functions/.env");
  return existsSync(file) ? (parseEnv(readFileSync(file, "utf8")) as Record<string, string>) : {};
}
