import { connect, type Socket } from "node:net";
import { type AddressGuard, AddressRefused, type Host, parseHost } from "../_shared/address-guard.ts";
import { ConnectionFailure } from "./failures.ts";

/** How sockets come about: replaced in tests, which see every one. */
export type Connect = (address: string, port: number) => Socket;

export interface LineOptions {
  guard: AddressGuard;
  connect?: Connect;
  /** Monotonic milliseconds. */
  clock?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** How long an attempt may take, and how long every one takes that comes to nothing. Default 5,000. */
  attemptMs?: number;
}

/** The way to one database, for one test: where it leads is checked once, and everything on it ends with it. */
export interface Line {
  /** The checked addresses. The host is resolved once, however often this is asked. */
  pin(): Promise<string[]>;
  /**
   * Connects to the checked addresses, one after the other.
   *
   * @throws {ConnectionFailure} `dns_failed`, `blocked_address`, `refused` or `timeout`: all after the same time, so
   * that it does not tell what is behind them.
   */
  dial(port: number): Promise<Socket>;
  /** The same for where a server sends its client: resolved and checked anew. */
  redirect(host: string, port: number): Promise<Socket>;
  /** Milliseconds; null for what did not happen. */
  phases: { dns: number | null; tcp: number | null };
  /** What the last attempt that came to nothing came to: drivers swallow it. */
  failure: ConnectionFailure | undefined;
  /** Ends every socket that there is. */
  hangUp(): void;
}

/** The usual way. */
export const connectByNode: Connect = (host, port) =>
  connect({ host, port, family: host.includes(":") ? 6 : 4, autoSelectFamily: false, noDelay: true });

// node:timers/promises leaves its timer behind on Deno 2.1.
const sleepFor = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });

// An abort without one makes an exception, with its stack, for nobody to read.
const settled = new Error("settled");

/** @param signal - Ends every attempt at once. */
export function openLine(host: Host, options: LineOptions, signal: AbortSignal): Line {
  const {
    guard,
    connect = connectByNode,
    clock = () => performance.now(),
    sleep = sleepFor,
    attemptMs = 5000,
  } = options;
  const sockets = new Set<Socket>();
  let pinned: Promise<string[]> | undefined;

  const line: Line = {
    pin: () => attempt(pinOnce),
    dial: (port) => attempt((over) => reach(pinOnce, port, over)),
    redirect(name, port) {
      const elsewhere = parseHost(name);
      const pin = () =>
        elsewhere ? guard.pin(elsewhere) : Promise.reject(new AddressRefused("blocked_address"));
      return attempt((over) => reach(pin, port, over));
    },
    phases: { dns: null, tcp: null },
    failure: undefined,
    hangUp() {
      for (const socket of sockets) socket.destroy();
    },
  };

  async function pinOnce(): Promise<string[]> {
    if (pinned) return await pinned;
    const started = clock();
    const addresses = await (pinned = guard.pin(host));
    if (host.kind === "name") line.phases.dns = clock() - started;
    return addresses;
  }

  async function reach(pin: () => Promise<string[]>, port: number, over: AbortSignal): Promise<Socket> {
    if (!guard.permitsPort(port)) throw new ConnectionFailure("blocked_address");
    const started = clock();
    const addresses = await pin();
    let failure: unknown;
    for (const [index, address] of addresses.entries()) {
      over.throwIfAborted();
      const dialled = clock();
      const left = attemptMs - (dialled - started);
      try {
        const socket = await connected(address, port, left / (addresses.length - index), over);
        line.phases.tcp = clock() - dialled;
        return socket;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async function connected(address: string, port: number, ms: number, over: AbortSignal): Promise<Socket> {
    const stop = new AbortController();
    const socket = connect(address, port);
    sockets.add(socket);
    // Whoever uses it listens too; between two listeners an error must not end the process.
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    try {
      return await Promise.race([
        new Promise<Socket>((resolve, reject) => {
          socket.once("connect", () => resolve(socket));
          socket.once("error", (cause) => reject(new ConnectionFailure(codeOf(cause), { cause })));
          socket.once("close", () => reject(new ConnectionFailure("refused")));
        }),
        sleep(ms, AbortSignal.any([stop.signal, over])).then(() => {
          throw new ConnectionFailure("timeout");
        }),
      ]);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      stop.abort(settled);
    }
  }

  /** Lets what succeeds succeed, and what fails fail when the time is up. */
  async function attempt<T>(work: (over: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const over = AbortSignal.any([stop.signal, signal]);
    const timeIsUp = sleep(attemptMs, over);
    timeIsUp.catch(() => {});
    try {
      return await Promise.race([
        work(over),
        timeIsUp.then(() => {
          throw new ConnectionFailure("timeout");
        }),
      ]);
    } catch (error) {
      line.failure = failureOf(error);
      await timeIsUp.catch(() => {});
      throw line.failure;
    } finally {
      stop.abort(settled);
    }
  }

  return line;
}

const codeOf = (error: unknown) =>
  (error as { code?: string }).code === "ETIMEDOUT" ? "timeout" as const : "refused" as const;

function failureOf(error: unknown): ConnectionFailure {
  if (error instanceof ConnectionFailure) return error;
  if (error instanceof AddressRefused) return new ConnectionFailure(error.code, { cause: error });
  // The signal's: the time for all of it is up, or the caller has gone.
  return new ConnectionFailure("timeout", { cause: error });
}
