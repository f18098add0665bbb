import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import type { IntrospectionLimits, TlsMode } from "../../functions/connections/engine.ts";
import type { FailureCode, TlsReason } from "../../functions/connections/failures.ts";
import { denoBinary, hostedDenoBinary } from "../../src/stack/functions/deno.ts";
import { repository } from "../../src/stack/repository.ts";

export interface RunRequest {
  engine: "mssql" | "postgres" | "mysql";
  /**
   * `guarded` is a test with all that the function puts between a stranger's host and a connection; `stray` throws and
   * prints as drivers do.
   */
  action?: "test" | "introspect" | "port" | "guarded" | "stray";
  host: string;
  port: number;
  /** Where `host` leads. Default 127.0.0.1. */
  address?: string;
  /** Where every dial goes, whatever the port says. */
  dialPort?: number;
  username: string;
  password: string;
  database?: string;
  tls?: { mode?: TlsMode; ca?: string };
  options?: Record<string, unknown>;
  limits?: Partial<IntrospectionLimits>;
  /** Milliseconds for the whole call. Default 60,000: on a busy machine a process takes its time to begin. */
  within?: number;
  /** Most bytes of the server. Default 32 MiB. */
  mostBytes?: number;
  /** What a name resolves to, the first time and later; and the local port behind an address that is made up. */
  guard?: { answers: string[][]; behind?: Record<string, number> };
  settings?: {
    /** A platform on which nobody may listen. */
    localPair?: "none";
    browserPort?: number;
    /** TLS as for Deno before 2.5. */
    oldDeno?: boolean;
  };
}

export interface RunAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: what each action answers is asserted by the tests.
  value?: any;
  failure?: { code: FailureCode; reason?: TlsReason; facts?: unknown };
  /** Addresses that were connected to by a guarded test. */
  connected?: string[];
  /** How often a name was resolved. */
  resolved?: number;
  /** What the engine threw that was no ConnectionFailure: never right. */
  thrown?: string;
  /** Each dial: null, or where the server had sent it. */
  dials: ({ host: string; port: number } | null)[];
  /** Milliseconds. */
  took: number;
  /** Rejections that nobody handled. */
  unheard: string[];
}

export interface Runtime {
  name: string;
  /** Deno before 2.5: cannot leave out a part of the certificate's check, and does not tell TLS facts. */
  old: boolean;
  command: string[];
}

const deno = (binary: string) => [binary, "run", "--no-check", "--no-prompt", "--allow-all"];
const hosted = hostedDenoBinary();

/** Where the engines must work. */
export const runtimes: Runtime[] = [
  { name: "Node", old: false, command: [process.execPath, "--disable-warning=ExperimentalWarning"] },
  { name: "Deno", old: false, command: deno(denoBinary()) },
  ...(hosted ? [{ name: "Deno 2.1.14, as hosted", old: true, command: deno(hosted) }] : []),
];
if (!hosted) console.warn("! Deno 2.1.14 cannot be had for this platform: the engines are not tested on it.");

/** The hosted runtime where nothing may be done on the network but to connect to these ports: no listening, no loopback. */
export function confined(ports: number[]): Runtime | undefined {
  if (!hosted) return undefined;
  // TLS wants leave for the name in the certificate.
  const net = ["db.test", "other.test", ...ports.map((port) => `127.0.0.1:${port}`)];
  const leave = ["--allow-read", "--allow-env", "--allow-sys", `--allow-net=${net.join()}`];
  const command = [hosted, "run", "--no-check", "--no-prompt", ...leave];
  return { name: "Deno 2.1.14, confined", old: true, command };
}

/** Starts a process of this runtime that runs engines; one for a test file. */
export function startRunner({ command }: Runtime, environment: Record<string, string> = {}) {
  const [binary = "", ...args] = command;
  const runner = spawn(binary, [...args, repository("test/connections/engine-runner.ts")], {
    cwd: repository(),
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...environment },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const waiting = new Map<number, { resolve: (answer: RunAnswer) => void; reject: (error: Error) => void }>();
  let printed = "";
  let next = 0;
  createInterface({ input: runner.stdout }).on("line", (line) => {
    printed += `${line}\n`;
    const { id, ...answer } = JSON.parse(line) as RunAnswer & { id: number };
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  runner.on("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`The runner ended (${code}).`));
  });
  return {
    run: (request: RunRequest): Promise<RunAnswer> =>
      new Promise((resolve, reject) => {
        if (runner.exitCode !== null) return reject(new Error("The runner has ended."));
        const id = next++;
        waiting.set(id, { resolve, reject });
        runner.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      }),
    /** All that it has answered so far. */
    printed: () => printed,
    stop: async () => {
      if (runner.exitCode !== null) return;
      const ended = new Promise<void>((resolve) => runner.once("exit", () => resolve()));
      runner.stdin.end();
      runner.kill();
      await ended;
    },
  };
}
