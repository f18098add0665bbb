import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent } from "node:http";
import path from "node:path";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import { repository } from "../repository.ts";
import { bootFailure } from "./boot-failure.ts";

export interface InstanceOptions {
  /** The function's name. */
  name: string;
  /** The folder that holds the functions. */
  directory: string;
  /** The function's whole environment. */
  environment: Record<string, string>;
  /** The Deno binary. */
  deno: string;
  /** Is given the process as soon as there is one. */
  onSpawn: (child: ChildProcess) => void;
  /** Takes each line that the function writes. */
  onLine: (line: string) => void;
  /** Most milliseconds until it listens. */
  bootLimitMs: number;
}

/** One running process of a function. */
export interface Instance {
  port: number;
  /** Keeps connections to this process alive between requests. */
  agent: Agent;
  /** True once the process is gone, or going. */
  readonly ended: boolean;
  /** Resolves when the process is gone. */
  exited: Promise<unknown>;
  /** Ends the process at once. */
  kill(): Promise<void>;
}

const listening = /^deno serve: Listening on http:\/\/127\.0\.0\.1:(\d+)\//;

/**
 * Starts a function as the platform does: a process of its own that sees only its environment, the network and the
 * repository's files.
 *
 * @throws {StackFailure} when it ends before it listens, or does not listen in time.
 */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const { name, directory, environment, deno, onSpawn, onLine, bootLimitMs } = options;
  const child = spawn(
    deno,
    [
      "serve",
      "--no-prompt",
      "--host=127.0.0.1",
      "--port=0",
      "--allow-net",
      "--allow-env",
      "--allow-sys",
      `--allow-read=${repository().replaceAll(",", ",,")}`,
      path.join(directory, name, "index.ts"),
    ],
    {
      cwd: repository(),
      env: {
        ...environment,
        NO_COLOR: "1",
        DENO_DIR: repository(".nectar/deno"),
        DENO_NO_UPDATE_CHECK: "1",
      },
      stdio: ["ignore", "pipe", "pipe"],
      // In its own process group: Ctrl-C at the terminal is the stack's to handle, in its order.
      detached: true,
    },
  );
  onSpawn(child);
  const exited = once(child, "close").catch(() => {});
  const agent = new Agent({ keepAlive: true });
  let ended = false;
  child.once("exit", () => {
    ended = true;
    agent.destroy();
  });

  async function kill() {
    ended = true;
    agent.destroy();
    child.kill("SIGKILL");
    await exited;
  }

  const port = await new Promise<number>((resolve, reject) => {
    let booting = true;
    const output: string[] = [];
    const timer = setTimeout(() => {
      output.push(
        `error: It does not listen after ${bootLimitMs / 1000} s. Is there a loop or an await at the top level?`,
      );
      child.kill("SIGKILL");
    }, bootLimitMs);

    function take(line: string) {
      const port = booting ? stripVTControlCharacters(line).match(listening)?.[1] : undefined;
      if (port) {
        booting = false;
        clearTimeout(timer);
        for (const held of output) onLine(held);
        resolve(Number(port));
      } else if (booting) {
        output.push(line); // should it not start, this is why, and is told once
      } else {
        onLine(line);
      }
    }
    createInterface({ input: child.stdout }).on("line", onLine);
    createInterface({ input: child.stderr }).on("line", take);
    child.once("error", reject);
    exited.then(() => {
      clearTimeout(timer);
      if (!booting) return;
      const reason = output.findIndex((line) => line.startsWith("error: "));
      for (const held of output.slice(0, Math.max(0, reason))) onLine(held);
      reject(bootFailure(name, output.join("\n")));
    });
  });

  return {
    port,
    agent,
    exited,
    kill,
    get ended() {
      return ended;
    },
  };
}
