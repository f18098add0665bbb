import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import path from "node:path";
import { StackFailure } from "../failure.ts";
import { denoBinary } from "./deno.ts";
import { type Instance, startInstance } from "./instance.ts";
import { forward, refuse } from "./proxy.ts";
import { watchFolders } from "./watch.ts";
import { createWorker, type Worker } from "./worker.ts";

export interface FunctionsHostOptions {
  /** The folder that holds a folder for each function. It stands inside the repository. */
  directory: string;
  /** What functions see as their environment: all of it. */
  environment: Record<string, string>;
  /** The Deno binary. Default: the npm package's. */
  deno?: string;
  /** Takes each line that a function writes, and what the host has to say of it. */
  log: (name: string, line: string) => void;
  /** Start functions anew when their files change. Default false. */
  watch?: boolean;
  /** Most milliseconds for a request. Default 150,000, as on the platform. */
  requestLimitMs?: number;
  /** Most milliseconds until a function listens. Default 30,000. */
  bootLimitMs?: number;
  /** Is told the ids of all processes whenever they change, so that they can be ended should the host be killed. */
  onProcesses?: (pids: number[]) => void;
}

export interface FunctionsHost {
  /** The functions there are now, sorted. */
  readonly names: string[];
  /** The processes there are now. */
  readonly pids: number[];
  /** Answers a request for `/<name>/…`. Never throws. */
  handle(incoming: IncomingMessage, outgoing: ServerResponse): void;
  /**
   * Starts functions anew, those that are new included, and drops those that are gone. Requests that come meanwhile
   * wait for the new process; those under way end in the old one.
   *
   * A function that does not start is logged once and answers 503 until it does: its old process is not kept, since
   * a backend that goes on with yesterday's code hides the error.
   */
  reload(names?: Iterable<string>): Promise<void>;
  /** Ends all processes. */
  close(): Promise<void>;
}

/**
 * Serves edge functions as the platform does, each in a Deno process of its own.
 *
 * @throws {StackFailure} with one message for all functions that do not start.
 */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  const {
    directory,
    environment,
    log,
    onProcesses,
    requestLimitMs = 150_000,
    bootLimitMs = 30_000,
  } = options;
  const deno = options.deno ?? denoBinary();
  const workers = new Map<string, Worker>();
  const complaints = new Map<string, string>();
  const children = new Set<ChildProcess>();
  // Until all functions have started once, what is wrong with them is thrown, not logged.
  let quiet = true;
  let closing = false;

  const pids = () => [...children].flatMap(({ pid }) => pid ?? []);

  function onSpawn(child: ChildProcess) {
    children.add(child);
    onProcesses?.(pids());
    child.once("close", () => {
      children.delete(child);
      onProcesses?.(pids());
    });
  }

  async function start(name: string): Promise<Instance> {
    if (closing) throw new StackFailure("The functions are being stopped.");
    const onLine = (line: string) => log(name, line);
    const instance = startInstance({ name, directory, environment, deno, bootLimitMs, onSpawn, onLine });
    instance.then(() => complaints.delete(name)).catch((error: Error) => complain(name, error.message));
    return instance;
  }

  function complain(name: string, message: string) {
    if (quiet || closing || complaints.get(name) === message) return;
    complaints.set(name, message);
    log(name, message);
  }

  function add(name: string): Worker {
    const worker = createWorker({
      start: () => start(name),
      onCrash: () => {
        if (!closing) log(name, `The function "${name}" ended. It starts anew with the next request.`);
      },
    });
    workers.set(name, worker);
    return worker;
  }

  async function reload(names: Iterable<string> = findFunctions(directory)) {
    const existing = new Set(findFunctions(directory));
    const boots: Promise<void>[] = [];
    for (const name of new Set(names)) {
      const worker = workers.get(name);
      if (existing.has(name)) {
        boots.push((worker ?? add(name)).reload());
      } else if (worker) {
        workers.delete(name);
        boots.push(worker.stop());
      }
    }
    await Promise.allSettled(boots);
  }

  async function close() {
    closing = true;
    stopWatching?.();
    await Promise.all(
      [...children].map(async (child) => {
        const closed = once(child, "close");
        child.kill("SIGKILL");
        await closed;
      }),
    );
  }

  const boots = findFunctions(directory).map((name) => add(name).reload());
  const failures = (await Promise.allSettled(boots)).flatMap((boot) =>
    boot.status === "rejected" ? [boot.reason] : [],
  );
  let stopWatching: (() => void) | undefined;
  if (failures.length > 0) {
    await close();
    throw failures.every((failure) => failure instanceof StackFailure)
      ? new StackFailure(failures.map(({ message }) => message).join("\n\n"))
      : failures[0];
  }
  quiet = false;
  if (options.watch) {
    stopWatching = watchFolders(directory, (folders) => {
      const shared = [...folders].some((folder) => folder.startsWith("_"));
      void reload(shared ? [...workers.keys(), ...findFunctions(directory)] : folders);
    });
  }

  return {
    get names() {
      return [...workers.keys()].sort();
    },
    get pids() {
      return pids();
    },
    handle(incoming, outgoing) {
      const name = /^\/([\w-]+)(?=[/?]|$)/.exec(incoming.url ?? "")?.[1] ?? "";
      const worker = workers.get(name);
      if (worker) void forward(incoming, outgoing, worker, requestLimitMs);
      else refuse(outgoing, "NOT_FOUND");
    },
    reload,
    close,
  };
}

function findFunctions(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /^[a-z0-9][\w-]*$/i.test(name) && existsSync(path.join(directory, name, "index.ts")))
    .sort();
}
