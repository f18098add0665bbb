import process from "node:process";
import { commandOf, isAlive, type Process, parentOf, processOf } from "./processes.ts";

const LOOK_MS = 500;
const SCRIPT = "src/stack/start.ts";

/**
 * Calls `ended` when npm, if that is what started this process, has gone. A SIGTERM to npm ends no more than npm and
 * the shell between, and a SIGKILL cannot be passed on at all: without this nobody's Ctrl-C would reach what is left.
 */
export function onNpmEnd(ended: () => void): void {
  if (!process.env["npm_lifecycle_script"]?.includes(SCRIPT) || process.platform === "win32") return;
  const parent = process.ppid;
  const npm = npmAbove(parent);
  const timer = setInterval(() => {
    if (npm && isAlive(npm) && process.ppid === parent) return;
    clearInterval(timer);
    ended();
  }, LOOK_MS);
  timer.unref();
}

/** npm, or what works like it; undefined when it went before we looked. */
function npmAbove(parent: number): Process | undefined {
  const isShell = commandOf(parent)?.includes(SCRIPT);
  const pid = isShell ? parentOf(parent) : parent;
  // Whatever the tool, it was told to "start"; what takes over orphans was not.
  return pid && /\bstart\b/.test(commandOf(pid) ?? "") ? processOf(pid) : undefined;
}
