// Runs engines in whatever runtime this is: one JSON request a line in, one answer a line out.
import process from "node:process";
import { createInterface } from "node:readline";
import { createAddressGuard } from "../../functions/_shared/address-guard.ts";
import type { ConnectionRequest, Engine, EngineName } from "../../functions/connections/engine.ts";
import { engines } from "../../functions/connections/engines/engines.ts";
import { createMssql } from "../../functions/connections/engines/mssql.ts";
import { ConnectionFailure } from "../../functions/connections/failures.ts";
import { connectFor, detectRuntime } from "../../functions/connections/runtime.ts";
import { keepConsoleForLog, outliveStrayErrors } from "../../functions/connections/stray-errors.ts";
import { createTester } from "../../functions/connections/tester.ts";
import type { RunRequest } from "./runtimes.ts";

// As in the function. What is stray is told to the requests that are under way.
keepConsoleForLog();
const strays = new Set<(error: unknown) => void>();
outliveStrayErrors((error) => {
  for (const tell of strays) tell(error);
});
const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, ...request } = JSON.parse(line) as RunRequest & { id: number };
  const unheard: string[] = [];
  const note = (error: unknown) => void unheard.push(String(error));
  strays.add(note);
  const began = performance.now();
  const answer = await run(request);
  const took = performance.now() - began;
  // What a driver leaves behind comes up a turn later.
  await new Promise((resolve) => setTimeout(resolve, 60));
  strays.delete(note);
  process.stdout.write(`${JSON.stringify({ id, ...answer, took, unheard })}\n`);
});

function engineOf(name: EngineName, settings: RunRequest["settings"]): Engine {
  if (name !== "mssql" || !settings) return engines[name];
  const { localPair, browserPort } = settings;
  return createMssql({
    ...(localPair === "none" && { localPair: () => Promise.resolve(undefined) }),
    ...(browserPort !== undefined && { browserPort }),
  });
}

async function runGuarded(asked: RunRequest) {
  const { answers = [], behind = {} } = asked.guard ?? {};
  const connected: string[] = [];
  let resolved = 0;
  const tester = createTester({
    engines,
    runtime: detectRuntime(),
    // What is refused takes all of it; where somebody is behind an address, there is time to get there.
    attemptMs: Object.keys(behind).length > 0 ? 2000 : 100,
    testMs: asked.within ?? 60_000,
    guard: () =>
      createAddressGuard({
        resolve: () => Promise.resolve(answers[Math.min(resolved++, answers.length - 1)] ?? []),
      }),
    connect: (address, port) => {
      connected.push(address);
      const dial = connectFor(detectRuntime());
      return dial(behind[address] ? "127.0.0.1" : address, behind[address] ?? port);
    },
  });
  const target = {
    engine: asked.engine,
    host: asked.host,
    port: asked.port,
    database_name: asked.database ?? "",
    username: asked.username,
    password: asked.password,
    tls_mode: asked.tls?.mode ?? ("verify-full" as const),
    ca_certificate: asked.tls?.ca ?? null,
    options: asked.options ?? {},
  };
  const outcome = await tester.test(target, new AbortController().signal).then(
    ({ value }) => ({ value }),
    (error) =>
      error instanceof ConnectionFailure
        ? { failure: { code: error.code, reason: error.reason } }
        : { thrown: String(error) },
  );
  return { ...outcome, dials: [], connected, resolved };
}

function throwAndPrint() {
  setTimeout(() => {
    throw new Error("thrown");
  });
  Promise.reject(new Error("rejected"));
  // It would not be read as an answer.
  console.log("printed");
  return { value: "alive", dials: [] };
}

async function run(asked: RunRequest) {
  if (asked.action === "guarded") return await runGuarded(asked);
  if (asked.action === "stray") return throwAndPrint();
  const {
    engine: name,
    action,
    settings,
    within = 60_000,
    mostBytes = 32 << 20,
    limits,
    dialPort,
    ...given
  } = asked;
  const engine = engineOf(name, settings);
  const dials: ({ host: string; port: number } | null)[] = [];
  const deadline = Date.now() + within;
  const { address = "127.0.0.1", ...described } = given;
  const runtime = settings?.oldDeno ? { tlsInsideTds: false } : detectRuntime();
  const request: ConnectionRequest = {
    database: "",
    options: {},
    ...described,
    tls: { mode: given.tls?.mode ?? "verify-full", ca: given.tls?.ca ?? undefined },
    // The host name is nowhere to be found: an engine that resolved it would fail.
    dial: (redirect) => {
      dials.push(redirect ?? null);
      if (redirect?.host === "blocked.test") return Promise.reject(new ConnectionFailure("blocked_address"));
      return new Promise((resolve, reject) => {
        const socket = connectFor(runtime)(address, redirect?.port ?? dialPort ?? given.port);
        socket.once("connect", () => resolve(socket));
        socket.once("error", () => reject(new ConnectionFailure("refused")));
      });
    },
    mostBytes,
    signal: AbortSignal.timeout(within),
    timeLeft: () => Math.max(1, deadline - Date.now()),
    clock: () => performance.now(),
    runtime,
  };
  try {
    const value =
      action === "port"
        ? await engine.findPort?.({ address, options: request.options, signal: request.signal })
        : action === "introspect"
          ? await engine.introspect(request, { tables: 100, columns: 1000, bytes: 1 << 20, ...limits })
          : await engine.test(request);
    return { value, dials };
  } catch (error) {
    if (!(error instanceof ConnectionFailure)) return { thrown: String(error), dials };
    const { code, reason, facts } = error;
    return { failure: { code, reason, facts }, dials };
  }
}
