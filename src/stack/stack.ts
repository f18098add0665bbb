import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Plan, readPlans } from "../billing/plan-file.ts";
import { syncPlans } from "../billing/sync-plans.ts";
import { StackFailure } from "./failure.ts";
import { startFunctionsHost } from "./functions/host.ts";
import {
  developersEnvironment,
  operatorsEnvironment,
  platformEnvironment,
  stripeEnvironment,
} from "./functions-environment.ts";
import { type Mail, startGateway } from "./gateway/gateway.ts";
import { loadKeys, type ProjectKeys } from "./keys.ts";
import { type Mongo, type MongoChoice, startMongo } from "./mongo/mongo.ts";
import { projectSettings } from "./options.ts";
import { portProblem } from "./ports.ts";
import { pushMigrations } from "./postgres/migrations.ts";
import { endOrphanedServer, removeCluster, startPostgres } from "./postgres/server.ts";
import { endProcesses, type Process, processOf } from "./processes.ts";
import { repository } from "./repository.ts";
import { claim } from "./running.ts";
import { ENDPOINT_EVENTS } from "./stripe/endpoint.ts";
import { type StandInServer, startStripeServer } from "./stripe/server.ts";
import { startWatchdog } from "./watchdog-client.ts";

const PART_STOP_MS = 10_000;

export interface StackOptions {
  /** Folder for data and keys. */
  directory: string;
  /** The gateway's port. */
  port: number;
  databasePort: number;
  /** The Stripe stand-in's port. Default: any that is free. */
  stripePort?: number;
  /** Whether the stand-in sells the plan file's plans. Default false. */
  sellPlans?: boolean;
  mongoUri?: string | undefined;
  /** Which MongoDB to start where none is given. Default `find`. */
  mongo?: MongoChoice;
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
  /** Is told of a part that did not stop in time, and is ended with force. */
  onLate?: (part: string) => void;
  /** Gives the start up, at whatever point it is. */
  signal?: AbortSignal;
}

export interface Stack {
  url: string;
  keys: ProjectKeys;
  /** For `postgres`, which is no superuser. */
  databaseUrl: string;
  mongo: Mongo;
  /** Absent where functions/.env names an account at Stripe. */
  stripe: StandInServer | undefined;
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
 * @throws {StackFailure} with one clear message, or the signal's reason; whatever had started by then is stopped.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { directory, port, databasePort, signal, step = (_name, work) => work() } = options;
  const url = `http://127.0.0.1:${port}`;
  const cluster = path.join(directory, "postgres");
  mkdirSync(directory, { recursive: true });
  const folder = await claim(directory, url);
  const watchdog = startWatchdog();

  const parts: [name: string, stop: () => Promise<void>][] = [];
  const processes = { database: [] as Process[], mongo: [] as Process[], functions: [] as Process[] };
  const note = (part: keyof typeof processes, pids: number[]) => {
    processes[part] = pids.flatMap((pid) => processOf(pid) ?? []);
    const all = Object.values(processes).flat();
    folder.record(all);
    watchdog.watch(all);
  };
  const stop = async () => {
    for (const [name, stopPart] of parts.splice(0).reverse()) {
      if (!(await inTime(stopPart()))) options.onLate?.(name);
    }
    await endProcesses(Object.values(processes).flat()); // what had not come up yet, or did not go in time
    await watchdog.release();
    folder.release();
  };
  const run: typeof step = (name, work, result) => {
    signal?.throwIfAborted();
    return step(name, () => unlessAborted(work(), signal), result);
  };

  try {
    await endOrphanedServer(cluster);
    await requirePort(port, "NECTAR_PORT");
    await requirePort(databasePort, "NECTAR_DB_PORT");
    if (options.reset) {
      removeCluster(cluster);
      rmSync(path.join(directory, "mongo"), { recursive: true, force: true });
      rmSync(path.join(directory, "stripe.json"), { force: true });
    }
    const keys = await loadKeys(path.join(directory, "keys.json"));
    const secrets = operatorsEnvironment(repository("functions/.env"));
    const settings = projectSettings();
    const standsIn = !secrets["STRIPE_SECRET_KEY"];
    if (standsIn && options.stripePort) await requirePort(options.stripePort, "NECTAR_STRIPE_PORT");

    // It comes up beside PostgreSQL, and is shown when its turn comes.
    const startingMongo = startMongo({
      uri: options.mongoUri ?? secrets["MONGODB_URI"],
      choice: options.mongo ?? "find",
      directory,
      durable: options.durable ?? true,
      onProcess: (pid) => note("mongo", [pid]),
    });
    startingMongo.catch(() => {});

    const database = await run(
      "PostgreSQL",
      () =>
        startPostgres({
          directory: cluster,
          port: databasePort,
          durable: options.durable ?? true,
          onProcess: (pid) => note("database", [pid]),
          signal,
        }),
      ({ created }) => `17 on port ${databasePort}${created ? ", a new cluster" : ""}`,
    );
    parts.push(["PostgreSQL", database.stop]);
    const databaseUrl = database.url("postgres");

    await run(
      "Migrations",
      () =>
        pushMigrations(databaseUrl, {
          seed: true,
          onProcess: (pid) => note("database", [database.pid, pid]),
        }),
      () => "up to date, seed included",
    );

    const mongo = await run(
      "MongoDB",
      () => startingMongo,
      ({ description }) => description,
    );
    parts.push(["MongoDB", mongo.stop]);
    note("mongo", mongo.pid ? [mongo.pid] : []);

    const stripeSecrets = stripeEnvironment();
    const stripe = standsIn
      ? await run(
          "Stripe",
          () =>
            startStripeServer({
              port: options.stripePort ?? 0,
              secretKey: stripeSecrets.STRIPE_SECRET_KEY,
              webhookSecrets: [stripeSecrets.STRIPE_WEBHOOK_SECRETS],
              webhookUrl: `${url}/functions/v1/stripe-webhook`,
              webhookTypes: ENDPOINT_EVENTS,
              file: path.join(directory, "stripe.json"),
            }),
          (server) => `a stand-in at ${server.url}`,
        )
      : undefined;
    if (stripe) parts.push(["Stripe", stripe.close]);

    const functions = await run(
      "Functions",
      () =>
        startFunctionsHost({
          directory: repository("functions"),
          environment: {
            ...developersEnvironment(settings.auth.siteUrl, keys),
            ...(stripe && { ...stripeSecrets, STRIPE_API_URL: stripe.url }),
            ...secrets,
            ...platformEnvironment(url, keys, databaseUrl, mongo.uri),
          },
          log: options.onFunctionLine ?? (() => {}),
          watch: options.watch ?? false,
          onProcesses: (pids) => note("functions", pids),
        }),
      ({ names }) => `${names.length}, under /functions/v1`,
    );
    parts.push(["Functions", functions.close]);

    await run(
      "Gateway",
      () => {
        const opening = startGateway({
          port,
          databaseUrl: database.url,
          keys,
          functions,
          ...settings,
          onMail: options.onMail,
        });
        // Even half open it has connections to the database, and is closed before that is.
        parts.push(["Gateway", async () => (await opening).close()]);
        return opening;
      },
      () => url,
    );

    stripe?.standIn.webhooks.flow();
    if (stripe && options.sellPlans) {
      await run("Plans", () => sellAtStandIn(stripe, stripeSecrets.STRIPE_SECRET_KEY, url, keys), summary);
    }

    const broken = Promise.race([
      database.exited.then(() => `PostgreSQL has ended by itself. Its log: ${database.directory}/server.log`),
      mongo.broken,
    ]);
    return { url, keys, databaseUrl, mongo, stripe, functions: functions.names, broken, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What an operator does by `npm run stripe:sync-plans`: without it there is nothing to buy. */
async function sellAtStandIn({ standIn }: StandInServer, stripeKey: string, url: string, keys: ProjectKeys) {
  const { default: Stripe } = await import("stripe");
  const { createClient } = await import("@supabase/supabase-js");
  const plans = readPlans();
  await syncPlans({
    stripe: new Stripe(stripeKey, { httpClient: Stripe.createFetchHttpClient(standIn.fetchForSdk) }),
    supabase: createClient(url, keys.secretKey, { auth: { persistSession: false } }),
    plans,
    livemode: false,
    dryRun: false,
    say: () => {},
  });
  return plans;
}

const summary = (plans: Plan[]) => `${plans.length}, of src/billing/plans.json`;

/** Gives up on work that is aborted: what it had started is ended with everything else. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return Promise.race([work, aborted]);
}

/** False when it takes too long: a part that cannot be stopped must not keep the others from it. */
const inTime = (stopping: Promise<void>): Promise<boolean> =>
  Promise.race([
    stopping.then(
      () => true,
      () => true,
    ),
    sleep(PART_STOP_MS, false, { ref: false }),
  ]);

async function requirePort(port: number, variable: string): Promise<void> {
  const problem = await portProblem(port);
  if (!problem) return;
  throw new StackFailure(
    problem === "EADDRINUSE"
      ? `Port ${port} is in use.\nFree it, or choose another one: ${variable}=… npm start`
      : `Port ${port} cannot be opened (${problem}).\nChoose another one: ${variable}=… npm start`,
  );
}
