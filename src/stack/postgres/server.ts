import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { StackFailure } from "../failure.ts";
import {
  type Account,
  type Binaries,
  postgresBinaries,
  reachableDirectory,
  serverAccount,
} from "./binaries.ts";

const PASSWORD = "postgres";
const START_TIMEOUT_MS = 20_000;

/** The roles of the platform that may log in; supabase_admin is the only superuser. */
export type LoginRole = "postgres" | "supabase_admin" | "supabase_auth_admin" | "authenticator";

export interface PostgresOptions {
  /** Folder for the cluster; made when missing. */
  directory: string;
  /** TCP port on 127.0.0.1. */
  port: number;
  /** `false` trades durability for speed: for clusters that are thrown away. */
  durable?: boolean;
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
  const account = serverAccount();
  const binaries = postgresBinaries(account);
  const directory = reachableDirectory(path.resolve(options.directory), account);
  refuseLivePostmaster(directory);
  const created = !fs.existsSync(path.join(directory, "PG_VERSION"));
  if (created) initialize(directory, binaries, account);

  const child = launch({ ...options, directory }, binaries, account);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.ref();
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGINT");
    await exited;
  };
  const url = (role: LoginRole) =>
    `postgresql://${role}:${PASSWORD}@127.0.0.1:${options.port}/postgres?sslmode=disable`;
  try {
    await acceptConnections(child, url("supabase_admin"), logFile(directory));
    await imitateHostedPlatform(url("supabase_admin"));
  } catch (error) {
    await stop();
    throw error;
  }
  return { port: options.port, pid: child.pid ?? 0, directory, created, url, exited, stop };
}

/** Removes the cluster and everything in it. */
export function removeCluster(wanted: string): void {
  const directory = reachableDirectory(path.resolve(wanted), serverAccount());
  refuseLivePostmaster(directory);
  fs.rmSync(directory, { recursive: true, force: true });
}

const logFile = (directory: string) => path.join(directory, "server.log");

/** The process id of the server that holds this data folder, if one is alive. */
export function livePostmaster(directory: string): number | null {
  try {
    const pid = Number(fs.readFileSync(path.join(directory, "postmaster.pid"), "utf8").split("\n")[0]);
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? -1 : null;
  }
}

// An orphan would answer on the port and hide that ours did not start.
function refuseLivePostmaster(directory: string): void {
  const pid = livePostmaster(directory);
  if (pid === null) return;
  throw new StackFailure(`The database folder ${directory} is in use by process ${pid}. Stop it first.`);
}

// initdb works in a folder of its own, so that an interrupted one is never taken for a cluster.
function initialize(directory: string, binaries: Binaries, account: Account): void {
  const partial = `${directory}.initdb`;
  const passwordFile = `${partial}.password`;
  fs.rmSync(partial, { recursive: true, force: true });
  fs.mkdirSync(partial, { mode: 0o700 });
  fs.writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  for (const file of [partial, passwordFile]) {
    if (account.uid !== undefined) fs.chownSync(file, account.uid, account.gid ?? account.uid);
  }
  const run = spawnSync(
    binaries.initdb,
    [
      ...["-D", partial, "-U", "supabase_admin", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"],
      ...["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
    ],
    { ...account, cwd: "/", encoding: "utf8" },
  );
  fs.rmSync(passwordFile);
  if (run.status !== 0) throw new StackFailure(`PostgreSQL's initdb failed:\n${run.stdout}${run.stderr}`);
  fs.renameSync(partial, directory);
}

function launch(options: PostgresOptions, binaries: Binaries, account: Account): ChildProcess {
  const settings: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "120",
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

async function acceptConnections(child: ChildProcess, url: string, log: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (true) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new StackFailure(`PostgreSQL did not start:\n${fs.readFileSync(log, "utf8").slice(-1500)}`);
    }
    const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice() {} });
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new StackFailure(`PostgreSQL does not answer: ${error}`);
      await sleep(20);
    } finally {
      await sql.end();
    }
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
