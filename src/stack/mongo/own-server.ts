import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { StackFailure } from "../failure.ts";

export interface OwnServerOptions {
  directory: string;
  durable: boolean;
  /** Is given the process as soon as there is one. */
  onProcess: (pid: number) => void;
}

export interface OwnServer {
  uri: string;
  pid: number;
  /** Resolves when the process has ended without being asked to. */
  exited: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts Nectar's own MongoDB server as a process of its own, so that its work holds nobody else up.
 *
 * @throws {StackFailure} when it does not start.
 */
export async function startOwnServer({
  directory,
  durable,
  onProcess,
}: OwnServerOptions): Promise<OwnServer> {
  const child = spawn(
    process.execPath,
    [
      path.join(import.meta.dirname, "serve.ts"),
      "--directory",
      directory,
      "--with-parent",
      ...(durable ? [] : ["--not-durable"]),
    ],
    // In its own process group: Ctrl-C at the terminal is the stack's to handle. Its input ends with this process.
    { stdio: ["pipe", "pipe", "pipe"], detached: true },
  );
  child.stdin.on("error", () => {});
  const ended = once(child, "close").catch(() => {});
  const said = text(child.stderr);
  if (child.pid !== undefined) onProcess(child.pid);
  let stopping = false;

  const uri = await new Promise<string>((resolve, reject) => {
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      const [line] = output.split("\n");
      if (output.includes("\n") && line) resolve(line);
    });
    child.once("error", reject);
    void ended.then(async () => reject(notStarted(directory, await said)));
  });
  return {
    uri,
    pid: child.pid as number,
    exited: new Promise((resolve) => {
      void ended.then(async () => {
        if (stopping) return;
        const message = await said;
        if (message) console.error(message);
        resolve();
      });
    }),
    async stop() {
      stopping = true;
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function notStarted(directory: string, said: string): StackFailure {
  const reason = /^(?:\w*Error: )(.*)$/m.exec(said)?.[1] ?? said.trim().split("\n").at(-1) ?? "";
  return new StackFailure(
    `Nectar's MongoDB server does not start (${reason}).\nMend or remove ${directory}, or name a MongoDB of your own: MONGODB_URI=…`,
  );
}
