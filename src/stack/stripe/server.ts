import { once } from "node:events";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createAdaptorServer } from "@hono/node-server";
import { StackFailure } from "../failure.ts";
import { type Books, emptyBooks, type RecordedEvent } from "./account.ts";
import { createStripeStandIn, type StandIn, type StandInOptions } from "./stand-in.ts";

/** How often what is due is looked for while nobody asks. */
const LOOK_EVERY_MS = 10_000;
/** Older events are forgotten, as Stripe forgets them after 30 days. */
const EVENTS_KEPT = 2_000;

export interface StandInServerOptions
  extends Pick<
    StandInOptions,
    "secretKey" | "webhookSecrets" | "startsAt" | "afterRetries" | "retryAfterMs"
  > {
  port: number;
  /** Where webhooks go. */
  webhookUrl: string;
  /** The types of events that the endpoint asks for. Default: all. */
  webhookTypes?: readonly string[];
  /** Keeps the account between starts. Default: it is forgotten. */
  file?: string;
}

export interface StandInServer {
  url: string;
  standIn: StandIn;
  close(): Promise<void>;
}

interface Kept {
  books: Books;
  ahead: number;
  /** Events that nobody has taken yet. */
  waiting: string[];
}

/**
 * Serves a Stripe on 127.0.0.1, and sends its webhooks.
 *
 * @throws {StackFailure} when the file it is kept in is damaged.
 */
export async function startStripeServer(options: StandInServerOptions): Promise<StandInServer> {
  const { port, webhookUrl, file, ...rest } = options;
  const kept = file === undefined ? undefined : readKept(file);
  let closed = false;
  const listening = Promise.withResolvers<StandIn>();
  const server = createAdaptorServer({ fetch: async (request) => (await listening.promise).fetch(request) });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const standIn = createStripeStandIn({
    ...rest,
    ...(kept && { books: { ...emptyBooks(), ...kept.books }, ahead: kept.ahead }),
    url,
    send: async ({ body, headers }) => {
      const response = await fetch(webhookUrl, {
        method: "POST",
        body,
        headers,
        signal: AbortSignal.timeout(20_000),
      });
      await response.body?.cancel();
      return response.status;
    },
    onChange: () => {
      if (file !== undefined && !closed) write(file, standIn);
    },
  });
  const waiting = new Set(kept?.waiting);
  for (const event of standIn.account.books.events) {
    if (waiting.has(event.id)) standIn.webhooks.enqueue(event);
  }
  listening.resolve(standIn);
  const timer = setInterval(() => standIn.advance(0), LOOK_EVERY_MS).unref();

  return {
    url,
    standIn,
    async close() {
      closed = true;
      clearInterval(timer);
      standIn.webhooks.stop();
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function readKept(file: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (!(error instanceof SyntaxError)) throw error;
    throw new StackFailure(
      `The Stripe stand-in's ${file} is damaged.\nRemove it: its customers are gone then.`,
    );
  }
}

function write(file: string, { account, ahead, webhooks }: StandIn): void {
  forget(account.books.events);
  const kept: Kept = { books: account.books, ahead, waiting: webhooks.waiting.map(({ id }) => id) };
  const draft = `${file}.${process.pid}`;
  // At once and whole: a kill leaves either the state before or the one after.
  try {
    writeFileSync(draft, JSON.stringify(kept));
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    // Someone removed the folder under us: there is nothing to keep any more.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function forget(events: RecordedEvent[]): void {
  events.splice(0, Math.max(0, events.length - EVENTS_KEPT));
}
