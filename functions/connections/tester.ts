import { type Host, parseHost } from "../_shared/address-guard.ts";
import type {
  ConnectionRequest,
  Engine,
  EngineName,
  IntrospectionLimits,
  SchemaSnapshot,
  TestSuccess,
  TlsMode,
} from "./engine.ts";
import { ConnectionFailure } from "./failures.ts";
import { type Line, type LineOptions, openLine } from "./line.ts";
import { connectFor, type Runtime } from "./runtime.ts";

/** A database to connect to, as it was described. */
export interface Target {
  engine: EngineName;
  host: string;
  port: number | null;
  database_name: string;
  username: string;
  password: string;
  tls_mode: TlsMode;
  ca_certificate: string | null;
  options: Record<string, unknown>;
}

export interface Latencies {
  dns: number | null;
  tcp: number | null;
  tls: number | null;
  login: number | null;
  query: number | null;
  total: number;
}

export type Attempt<T> = { value: T; total: number; dns: number | null; tcp: number | null };

export interface TesterOptions extends Omit<LineOptions, "guard"> {
  engines: Record<EngineName, Engine>;
  /** Read at each test: a guard that is set up wrongly must refuse, not be left out. */
  guard: () => LineOptions["guard"];
  runtime: Runtime;
  /** Most milliseconds of a test. Default 20,000. */
  testMs?: number;
  /** Most milliseconds of an introspection. Default 30,000. */
  introspectionMs?: number;
  limits?: IntrospectionLimits;
  /** Told of what an engine threw that is no failure it knows: by its name alone. */
  onUnknown?: (engine: EngineName, error: Record<string, unknown>) => void;
}

/** Tries customers' databases. Rejects with a ConnectionFailure, and leaves no socket behind. */
export interface Tester {
  test(target: Target, caller: AbortSignal): Promise<Attempt<TestSuccess>>;
  introspect(target: Target, caller: AbortSignal): Promise<Attempt<SchemaSnapshot>>;
}

// What a version takes, and what the largest catalogue that is kept takes.
const testBytes = 256 * 1024;
const introspectionBytes = 32 * 1024 * 1024;

const defaultLimits: IntrospectionLimits = { tables: 2000, columns: 50_000, bytes: 4 * 1024 * 1024 };

export function createTester(options: TesterOptions): Tester {
  const { testMs = 20_000, introspectionMs = 30_000, limits = defaultLimits, onUnknown = () => {} } = options;

  async function attempt<T>(
    target: Target,
    caller: AbortSignal,
    { ms, mostBytes }: { ms: number; mostBytes: number },
    work: (engine: Engine, request: ConnectionRequest) => Promise<T>,
  ): Promise<Attempt<T>> {
    const { clock = () => performance.now(), runtime } = options;
    const engine = options.engines[target.engine];
    const guard = options.guard();
    const started = clock();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), ms);
    const signal = AbortSignal.any([caller, deadline.signal]);
    let line: Line | undefined;
    try {
      const { pin, dial, redirect, phases } = line = openLine(
        hostOf(target),
        { ...options, guard, connect: options.connect ?? connectFor(runtime) },
        signal,
      );
      const { host } = target;
      const port = await portOf(engine, target, pin, signal);
      const request: ConnectionRequest = {
        host,
        port,
        database: target.database_name,
        username: target.username,
        password: target.password,
        tls: { mode: target.tls_mode, ca: target.ca_certificate ?? undefined },
        options: target.options,
        dial: (elsewhere) => elsewhere ? redirect(elsewhere.host, elsewhere.port) : dial(port),
        mostBytes,
        signal,
        timeLeft: () => Math.max(1, ms - (clock() - started)),
        clock,
        runtime,
      };
      const value = await unlessAborted(work(engine, request), signal);
      return { value, total: clock() - started, ...phases };
    } catch (error) {
      if (line?.failure) throw line.failure;
      if (signal.aborted) throw new ConnectionFailure("timeout", { cause: error });
      if (error instanceof ConnectionFailure) throw error;
      onUnknown(target.engine, nameOf(error));
      throw new ConnectionFailure("unsupported_server", { cause: error });
    } finally {
      clearTimeout(timer);
      line?.hangUp();
    }
  }

  return {
    test: (target, caller) =>
      attempt(
        target,
        caller,
        { ms: testMs, mostBytes: testBytes },
        (engine, request) => engine.test(request),
      ),
    introspect: (target, caller) =>
      attempt(
        target,
        caller,
        { ms: introspectionMs, mostBytes: introspectionBytes },
        (engine, request) => engine.introspect(request, limits),
      ),
  };
}

/** The caller checked it, and so did the database; what is neither is not looked up. */
function hostOf({ host }: Target): Host {
  const parsed = parseHost(host);
  if (!parsed) throw new ConnectionFailure("dns_failed");
  return parsed;
}

async function portOf(
  engine: Engine,
  target: Target,
  pin: () => Promise<string[]>,
  signal: AbortSignal,
): Promise<number> {
  if (target.port !== null) return target.port;
  const { findPort } = engine;
  if (!findPort || target.options["instance"] === undefined) return engine.defaultPort;
  // All at once: not every address of a host leads anywhere from here.
  const answered = new AbortController();
  const over = AbortSignal.any([signal, answered.signal]);
  const asked = (await pin()).map(async (address) => {
    const port = await findPort({ address, options: target.options, signal: over });
    if (port === undefined) throw new ConnectionFailure("timeout");
    return port;
  });
  try {
    return await unlessAborted(Promise.any(asked), signal);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    answered.abort();
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  promise.catch(() => {});
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", abort));
}

/** What of an error may be logged. Never its message: drivers quote hosts, users and what the server said. */
export function nameOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const { code } = error as { code?: unknown };
  return {
    name: error.name.slice(0, 100),
    ...(typeof code === "string" && /^[\w.]{1,50}$/.test(code) && { code }),
    ...(error.cause instanceof Error && { cause: nameOf(error.cause) }),
  };
}
