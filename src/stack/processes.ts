import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** A process that stays recognisable when its id has gone to another one. */
export interface Process {
  pid: number;
  /** When it began, as the system tells it. */
  born: string;
}

const PATIENCE_MS = 10_000;

/** The process that has this id now. */
export function processOf(pid: number): Process | undefined {
  const born = birthOf(pid);
  return born === undefined ? undefined : { pid, born };
}

export const isAlive = ({ pid, born }: Process): boolean => birthOf(pid) === born;

/** Asks, waits, and then insists. SIGINT is PostgreSQL's fast shutdown and ends everything else too. */
export async function endProcesses(processes: Process[]): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  signal(processes, "SIGINT");
  while (processes.some(isAlive)) {
    if (Date.now() > deadline) signal(processes, "SIGKILL");
    await sleep(25);
  }
}

function signal(processes: Process[], name: NodeJS.Signals): void {
  for (const each of processes) {
    try {
      if (isAlive(each)) process.kill(each.pid, name);
    } catch {} // ended in between
  }
}

/** The command line of a process; undefined when it cannot be told. */
export function commandOf(pid: number): string | undefined {
  try {
    if (process.platform === "linux")
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return undefined;
  }
}

/** The process that started this one, or has taken it over; undefined when it cannot be told. */
export function parentOf(pid: number): number | undefined {
  try {
    if (process.platform === "linux") return Number(statOf(pid)[1]);
    return Number(execFileSync("ps", ["-o", "ppid=", "-p", String(pid)], { encoding: "utf8" }));
  } catch {
    return undefined;
  }
}

function birthOf(pid: number): string | undefined {
  try {
    if (process.platform === "linux") {
      const stat = statOf(pid);
      return stat[0] === "Z" ? undefined : stat[19]; // a zombie has ended, though its parent does not care
    }
    if (process.platform === "win32") return process.kill(pid, 0) ? "then" : undefined; // its id alone must do
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}

/** The fields of Linux's note on a process, from the third on: the second, its name, may hold anything. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
