import { spawn } from "node:child_process";
import path from "node:path";

/** Told what to end should this process be killed. */
export interface Watchdog {
  watch(processes: number[]): void;
  /** All was stopped in order: there is nothing left to end. */
  release(): void;
}

export function startWatchdog(): Watchdog {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "watchdog.ts")], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  child.stdin.on("error", () => {}); // it was killed: the next start cleans up instead
  child.unref();
  const watch = (processes: number[]) => void child.stdin.write(`${JSON.stringify(processes)}\n`);
  return {
    watch,
    release: () => {
      watch([]);
      child.stdin.end();
    },
  };
}
