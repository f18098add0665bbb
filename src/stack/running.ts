import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { StackFailure } from "./failure.ts";

/** What is running from a data folder: written there for the next start, should this one be killed. */
interface Running {
  pid: number;
  url: string;
  children: number[];
}

const END_TIMEOUT_MS = 10_000;
const fileIn = (directory: string) => path.join(directory, "running.json");

/** Refuses a second start on the same folder, and ends what a killed one left behind. */
export async function takeOver(directory: string): Promise<void> {
  const running = read(directory);
  if (!running) return;
  if (running.pid !== process.pid && isOurs(running.pid)) {
    throw new StackFailure(
      `Nectar is running already, at ${running.url} (process ${running.pid}). Stop it with Ctrl-C where it runs; ` +
        "a second one needs NECTAR_PORT, NECTAR_DB_PORT and NECTAR_DATA of its own.",
    );
  }
  await endProcesses(running.children.filter(isOurs));
  rmSync(fileIn(directory), { force: true });
}

export function recordRunning(directory: string, url: string, children: number[]): void {
  writeFileSync(fileIn(directory), JSON.stringify({ pid: process.pid, url, children } satisfies Running));
}

export function forgetRunning(directory: string): void {
  rmSync(fileIn(directory), { force: true });
}

/** Asks, waits, and then insists. SIGINT is PostgreSQL's fast shutdown and ends everything else too. */
export async function endProcesses(pids: number[]): Promise<void> {
  for (const pid of pids) signal(pid, "SIGINT");
  const deadline = Date.now() + END_TIMEOUT_MS;
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) for (const pid of pids) signal(pid, "SIGKILL");
    await sleep(25);
  }
}

function read(directory: string): Running | undefined {
  try {
    return JSON.parse(readFileSync(fileIn(directory), "utf8")) as Running;
  } catch {
    return undefined; // none, or cut off while being written: nothing that can be acted on
  }
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const isAlive = (pid: number) => signal(pid, 0);

// Process ids are used again: one counts only if what runs under it is of the kind that we start.
function isOurs(pid: number): boolean {
  if (!isAlive(pid)) return false;
  return process.platform === "win32" || /postgres|deno|mongod|src\/stack\//.test(commandOf(pid));
}

function commandOf(pid: number): string {
  try {
    if (existsSync("/proc/self")) return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return ""; // ended in between
  }
}
