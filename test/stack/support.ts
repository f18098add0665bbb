// `npm start` as a person meets it: a child process with its terminal's text, its processes and its exit code.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createClient } from "@supabase/supabase-js";
import { afterAll } from "vitest";
import { freePort } from "../../src/stack/ports.ts";
import { removeCluster } from "../../src/stack/postgres/server.ts";
import { repository } from "../../src/stack/repository.ts";

const cleanups: (() => unknown)[] = [];
const endings: (() => Promise<unknown>)[] = [];

/** Does this after all of the file's tests, the latest first. */
export const afterTests = (cleanup: () => unknown): void => void cleanups.push(cleanup);

afterAll(async () => {
  // All at once: of two starts on one folder, neither is gone before the other.
  await Promise.all(endings.map((end) => end()));
  const failures: unknown[] = [];
  for (const cleanup of cleanups.reverse()) {
    try {
      await cleanup();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures);
});

/** A folder that every account can get to, removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "nectar-stack-"));
  chmodSync(folder, 0o755);
  afterTests(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// What a start does with its functions, it does with two as with all: that all start, the first start shows.
const FEW_FUNCTIONS = ["health", "maintenance"];

/** A copy of the repository in which tests may break what they like. */
export function copyOfRepository(
  folder = path.join(temporaryFolder(), "nectar"),
  kept: string[] | "all" = FEW_FUNCTIONS,
): string {
  mkdirSync(folder, { recursive: true });
  for (const part of [
    "src",
    "functions",
    "supabase",
    "types",
    "deno.json",
    "package.json",
    "tsconfig.json",
  ]) {
    cpSync(repository(part), path.join(folder, part), {
      recursive: true,
      filter: (file) => !/[/\\](\.temp|\.branches|\.env)$/.test(file),
    });
  }
  symlinkSync(repository("node_modules"), path.join(folder, "node_modules"), "junction");
  if (kept !== "all") dropFunctions(folder, kept);
  return folder;
}

function dropFunctions(folder: string, kept: string[]): void {
  const manifest = path.join(folder, "deno.json");
  const settings = JSON.parse(readFileSync(manifest, "utf8")) as { workspace: string[] };
  const stays = (member: string) =>
    path.basename(member).startsWith("_") || kept.includes(path.basename(member));
  for (const member of settings.workspace.filter((member) => !stays(member))) {
    rmSync(path.join(folder, member), { recursive: true });
  }
  const workspace = settings.workspace.filter(stays);
  writeFileSync(manifest, JSON.stringify({ ...settings, workspace }));
}

export interface StartOptions {
  /** A copy of the repository. */
  root: string;
  args?: string[];
  environment?: Record<string, string | undefined>;
  /** Where keys and data go. Default: a folder of its own. */
  data?: string;
  /** Whose processes they are. Default: the caller's. */
  user?: { uid: number; gid: number };
  /** Default: Node itself, on start.ts. */
  command?: string[];
  /** Default: free ones. */
  ports?: [gateway: number, database: number, stripe?: number];
}

export interface Started {
  pid: number;
  port: number;
  databasePort: number;
  data: string;
  url: string;
  /** All that it has written. */
  output(): string;
  /** Resolves with the match once the output has it; fails when the process ends before. */
  shows(pattern: RegExp): Promise<RegExpExecArray>;
  /** Ready: the keys it shows. */
  ready(): Promise<{ publishableKey: string; secretKey: string }>;
  /** Resolves with the exit code, or the signal that ended it. */
  exited: Promise<number | string | null>;
  /** As Ctrl-C in a terminal: to every process of the foreground group. */
  interrupt(): void;
  kill(signal: NodeJS.Signals): void;
  /** Processes of this start that are alive. */
  processes(): Promise<string[]>;
  /** Resolves when there is none any more. */
  allGone(): Promise<void>;
}

export async function start(options: StartOptions): Promise<Started> {
  const [port, databasePort, stripePort = await freePort()] = options.ports ?? [
    await freePort(),
    await freePort(),
  ];
  const data = options.data ?? path.join(temporaryFolder(), "data");
  const [command = "", ...args] = options.command ?? [process.execPath, "src/stack/start.ts"];
  const child: ChildProcess = spawn(command, [...args, ...(options.args ?? [])], {
    cwd: options.root,
    env: {
      ...withoutNpm(process.env),
      NECTAR_PORT: String(port),
      NECTAR_DB_PORT: String(databasePort),
      NECTAR_STRIPE_PORT: String(stripePort),
      NECTAR_DATA: data,
      MONGODB_URI: "own",
      ...options.environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // a process group, as a shell makes for each command
    ...options.user,
  });
  const pid = child.pid ?? 0;
  let output = "";
  let ended = false;
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const look of waiting) look();
    });
  }
  const exited = new Promise<number | string | null>((resolve) => {
    child.once("close", (code, signal) => {
      ended = true;
      for (const look of waiting) look();
      resolve(code ?? signal);
    });
  });

  const shows = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(output);
        if (!match && !ended) return;
        waiting.delete(look);
        if (match) resolve(match);
        else reject(new Error(`It ended without showing ${pattern}:\n${output}`));
      };
      waiting.add(look);
      look();
    });
  const marks = [data, `127.0.0.1:${port}`, `127.0.0.1:${databasePort}`];
  const processes = async () =>
    (await allProcesses()).filter((line) => marks.some((mark) => line.includes(mark)));
  const allGone = async () => {
    while ((await processes()).length > 0) await sleep(20);
  };
  const kill = (signal: NodeJS.Signals) => void child.kill(signal);

  endings.push(async () => {
    kill("SIGTERM");
    await exited;
  });
  afterTests(async () => {
    await allGone();
    if (existsSync(data)) removeCluster(path.join(data, "postgres"));
  });
  return {
    pid,
    port,
    databasePort,
    data,
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    shows,
    async ready() {
      const [, publishableKey = "", secretKey = ""] = await shows(
        /Publishable +(\S+)\n +Secret +(\S+)\n[\s\S]*Try next/,
      );
      return { publishableKey, secretKey };
    },
    exited,
    interrupt: () => void process.kill(-pid, "SIGINT"),
    kill,
    processes,
    allGone,
  };
}

// Under `npm test`, what npm says of its script would be taken for that of `npm start`.
function withoutNpm(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^npm_/i.test(name)));
}

/** Command line and environment of every process: a part that has not the one of ours has the other. */
async function allProcesses(): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ps", ["axeww", "-o", "pid=,stat=,args="], {
    maxBuffer: 64 << 20,
  });
  return stdout.split("\n").filter((line) => !/^\s*\d+ +Z/.test(line));
}

/** True when nothing runs and nothing is noted as running. */
export async function leavesNothing(started: Started): Promise<string[]> {
  const note = path.join(started.data, "running.json");
  return [...(await started.processes()), ...(existsSync(note) ? [note] : [])];
}

const stateless = { auth: { persistSession: false, autoRefreshToken: false } };

/** The organizations that a demo user sees through the API. */
export async function organizationsOf(url: string, publishableKey: string, email: string): Promise<string[]> {
  const client = createClient(url, publishableKey, stateless);
  const { error } = await client.auth.signInWithPassword({ email, password: "nectar-demo" });
  if (error) throw error;
  const { data, error: refused } = await client.from("organizations").select("name").order("name");
  if (refused) throw refused;
  return data.map(({ name }) => name as string);
}
