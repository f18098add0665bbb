import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { StackFailure } from "../failure.ts";
import { type Account, serverAccount } from "./account.ts";
import { type Binaries, postgresBinaries } from "./binaries.ts";
import { endOrphan, refuseInUse } from "./postmaster.ts";
import { clusterFolder, existingCluster, removeClusterFolder } from "./system-folder.ts";

const PASSWORD = "postgres";
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;

/** The roles of the platform that may log in; supabase_admin is the only superuser. */
export type LoginRole = "postgres" | "supabase_admin" | "supabase_auth_admin" | "authenticator";

export interface PostgresOptions {
  /** Folder for the cluster; made when missing. */
  directory: string;
  /** TCP port on 127.0.0.1. */
  port: number;
  /** `false` trades durability for speed: for clusters that are thrown away. */
  durable?: boolean;
  /** Is told the id of each process as soon as there is one, so that it can be ended should this one be killed. */
  onProcess?: (pid: number) => void;
  /** Once aborted, no further process is started. */
  signal?: AbortSignal | undefined;
}

export interface PostgresServer {
  readonly port: number;
  readonly pid: number;
  readonly directory: string;
  /** True when this start created the cluster. */
  readonly created: boolean;
  url(role: LoginRole): string;
  /** Settles when the server is gone, however that came about. */
  readonly exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, the data folder is left clean. */
  stop(): Promise<void>;
}

/** Starts PostgreSQL 17 with the hosted platform's roles, auth tables and schema events in it. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const wanted = path.resolve(options.directory);
  const account = serverAccount(wanted);
  const binaries = postgresBinaries(account);
  const directory = clusterFolder(wanted, account);
  refuseInUse(directory);
  const created = !fs.existsSync(path.join(directory, "PG_VERSION"));
  if (created) await initialize(directory, binaries, account, options.onProcess);
  options.signal?.throwIfAborted();

  const child = launch({ ...options, directory }, binaries, account);
  if (child.pid) options.onProcess?.(child.pid);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.ref();
    child.kill("SIGINT");
    const patience = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(patience);
  };
  const url = (role: LoginRole) =>
    `postgresql://${role}:${PASSWORD}@127.0.0.1:${options.port}/postgres?sslmode=disable`;
  try {
    await acceptConnections(child, url("supabase_admin"), directory);
    await imitateHostedPlatform(url("supabase_admin"));
  } catch (error) {
    await stop();
    throw error;
  }
  return { port: options.port, pid: child.pid ?? 0, directory, created, url, exited, stop };
}

/** Removes the cluster and everything in it. */
export function removeCluster(directory: string): void {
  refuseInUse(directory);
  removeClusterFolder(path.resolve(directory));
}

/** Ends a server that a killed start left behind: only for whoever has the folder to himself. */
export async function endOrphanedServer(directory: string): Promise<void> {
  await endOrphan(existingCluster(path.resolve(directory)));
}

const logFile = (directory: string) => path.join(directory, "server.log");

// initdb works in a folder of its own, so that an interrupted one is never taken for a cluster.
async function initialize(
  directory: string,
  binaries: Binaries,
  account: Account,
  onProcess: PostgresOptions["onProcess"],
): Promise<void> {
  const partial = `${directory}.initdb`;
  const passwordFile = `${partial}.password`;
  fs.rmSync(partial, { recursive: true, force: true });
  fs.mkdirSync(partial, { mode: 0o700 });
  fs.writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  for (const file of [partial, passwordFile]) {
    if (account.uid !== undefined) fs.chownSync(file, account.uid, account.gid ?? account.uid);
  }
  const child = spawn(
    binaries.initdb,
    [
      ...["-D", partial, "-U", "supabase_admin", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"],
      ...["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
    ],
    { ...account, cwd: "/", stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  if (child.pid) onProcess?.(child.pid);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  fs.rmSync(passwordFile);
  if (code !== 0) throw new StackFailure(`PostgreSQL's initdb failed:\n${output}${errors}`);
  fs.renameSync(partial, directory);
}

function launch(options: PostgresOptions, binaries: Binaries, account: Account): ChildProcess {
  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "250",
    timezone: "UTC",
    ...(options.durable === false
      ? { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }
      : {}),
  };
  const log = fs.openSync(logFile(options.directory), "w");
  if (account.uid !== undefined) fs.fchownSync(log, account.uid, account.gid ?? account.uid);
  const child = spawn(
    binaries.postgres,
    [
      ...["-D", options.directory, "-p", String(options.port)],
      ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]),
    ],
    // A group of its own: a Ctrl-C in the terminal reaches us alone, and we stop it in order.
    { ...account, cwd: "/", stdio: ["ignore", log, log], detached: true },
  );
  fs.closeSync(log);
  child.unref();
  return child;
}

async function acceptConnections(child: ChildProcess, url: string, directory: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (true) {
    const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice() {} });
    const answer = await sql`select current_setting('data_directory') as directory`.catch((error) => error);
    await sql.end();
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new StackFailure(
        `PostgreSQL did not start:\n${fs.readFileSync(logFile(directory), "utf8").slice(-1500)}`,
      );
    }
    // Another server on this port may take our password too.
    if (path.resolve(answer[0]?.directory ?? "/") === directory) return;
    if (Date.now() > deadline) throw new StackFailure(`PostgreSQL does not answer: ${answer}`);
    await sleep(20);
  }
}

const HOSTED = ["hosted-roles.sql", "hosted-auth.sql", "hosted-rest.sql"];

async function imitateHostedPlatform(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice() {} });
  try {
    const [done] = await sql`select 1 from pg_roles where rolname = 'authenticator'`;
    if (done) return;
    const files = HOSTED.map((name) => fs.readFileSync(path.join(import.meta.dirname, name), "utf8"));
    await sql.begin((transaction) => transaction.unsafe(files.join("\n")).simple());
  } finally {
    await sql.end();
  }
}
