import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { StackFailure } from "./failure.ts";
import { endProcesses, isAlive, type Process, processOf } from "./processes.ts";

/** What runs from a data folder: written there for the next start, should this one be killed. */
interface Running extends Process {
  url: string;
  children: Process[];
}

/** The right to run from a data folder, held by one start at a time. */
export interface Claim {
  /** Notes which processes there are now. */
  record(children: Process[]): void;
  release(): void;
}

/**
 * Claims the folder, and ends what a killed start left behind in it.
 *
 * @throws {StackFailure} when Nectar runs from this folder already.
 */
export async function claim(directory: string, url: string): Promise<Claim> {
  const file = path.join(directory, "running.json");
  const draft = `${file}.${process.pid}`;
  const self = processOf(process.pid) ?? { pid: process.pid, born: "" };
  const write = (children: Process[]) =>
    writeFileSync(draft, JSON.stringify({ ...self, url, children } satisfies Running), { mode: 0o600 });

  write([]);
  try {
    while (!linked(draft, file)) {
      const running = read(file);
      if (running && isAlive(running)) throw alreadyRunning(running);
      await endProcesses(running?.children ?? []);
      rmSync(file, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return {
    record(children) {
      try {
        write(children);
        renameSync(draft, file);
      } catch {
        // The folder was removed under us, or the disk is full: PostgreSQL says so, and the watchdog knows them too.
        rmSync(draft, { force: true });
      }
    },
    release() {
      if (read(file)?.pid === process.pid) rmSync(file, { force: true });
    },
  };
}

/** A link appears whole, and only where nothing was: of two starts at once, one gets it. */
function linked(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function read(file: string): Running | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Running;
  } catch {
    return undefined; // gone in between, or damaged: nothing that can be acted on
  }
}

function alreadyRunning({ pid, url }: Running): StackFailure {
  return new StackFailure(
    `Nectar runs already from this folder, at ${url} (process ${pid}).\n` +
      "Stop it with Ctrl-C where it runs. A second one beside it needs a NECTAR_PORT,\n" +
      "NECTAR_DB_PORT, NECTAR_STRIPE_PORT and NECTAR_DATA of its own.",
  );
}
