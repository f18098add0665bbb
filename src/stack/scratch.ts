import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { removeClusterFolder } from "./postgres/system-folder.ts";
import { type Process, processOf } from "./processes.ts";
import { startWatchdog } from "./watchdog-client.ts";

/** A folder in the system's temporary one, and the processes that work in it. */
export interface Scratch {
  folder: string;
  /** Is told of each process as soon as there is one. */
  onProcess(pid: number): void;
  /** Once they have been stopped. */
  remove(): Promise<void>;
}

/** Makes one. Should this process be interrupted or killed, a watchdog ends those processes and removes the folder. */
export function createScratch(): Scratch {
  const folder = mkdtempSync(path.join(tmpdir(), "nectar-"));
  const watchdog = startWatchdog(folder);
  const processes: Process[] = [];
  return {
    folder,
    onProcess(pid) {
      const process = processOf(pid);
      if (process) processes.push(process);
      watchdog.watch(processes);
    },
    async remove() {
      await watchdog.release();
      removeScratch(folder);
    },
  };
}

/** Removes a folder, and the cluster that stands elsewhere in place of its `postgres`. */
export function removeScratch(folder: string): void {
  removeClusterFolder(path.join(folder, "postgres"));
  // What is being ended by somebody else may still write.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
