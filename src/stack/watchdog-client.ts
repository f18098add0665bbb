import { spawn } from "node:child_process";
import path from "node:path";
import type { Process } from "./processes.ts";

/** Told what to end should this process be killed. */
export interface Watchdog {
  watch(processes: Process[]): void;
  /** All was stopped in order: there is nothing left to end. */
  release(): Promise<void>;
}

/** @param scratch - A folder that is removed as well, should this process be killed. */
export function startWatchdog(scratch?: string): Watchdog {
  const watchdog = path.join(import.meta.dirname, "watchdog.ts");
  const child = spawn(process.execPath, [watchdog, ...(scratch ? [scratch] : [])], {
    stdio: ["pipe", "ignore", "ignore"],
    // In its own process group: a Ctrl-C in the terminal is the stack's to answer.
    detached: true,
  });
  child.stdin.on("error", () => {}); // it was killed: the next start cleans up instead
  child.unref();
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    watch: (processes) => void child.stdin.write(`${JSON.stringify(processes)}\n`),
    release() {
      child.ref();
      child.kill("SIGKILL");
      return exited;
    },
  };
}
