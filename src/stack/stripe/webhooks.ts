import { createHmac } from "node:crypto";
import type { RecordedEvent } from "./account.ts";

/** A request as Stripe sends it for an event. */
export interface SignedRequest {
  body: string;
  headers: Record<string, string>;
}

/** Signs an event with every secret there is: while one is rolled over, Stripe signs with both. */
export function sign(
  { body }: Pick<RecordedEvent, "body">,
  secrets: string[],
  atMs = Date.now(),
): SignedRequest {
  const seconds = Math.floor(atMs / 1000);
  const signatures = secrets.map((secret) => {
    const signature = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
    return `v1=${signature}`;
  });
  return {
    body,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "stripe-signature": [`t=${seconds}`, ...signatures].join(","),
      "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    },
  };
}

/** Sends a request and tells the answer's status; 0 when there was none. */
export type Send = (request: SignedRequest) => Promise<number>;

export interface DeliveryOptions {
  /** Answers with the order, given what waits. Default: as they happened. */
  order?: (events: RecordedEvent[]) => RecordedEvent[];
  /** How often each is sent. Default once. */
  copies?: number;
  /** These are lost: they do not wait any longer, and are not sent. */
  drop?: (event: RecordedEvent) => boolean;
  /** How many at a time. Default 1. */
  atOnce?: number;
}

export interface Delivery {
  event: RecordedEvent;
  status: number;
}

export interface Webhooks {
  enqueue(event: RecordedEvent): void;
  /** Keep events back until they are delivered by `deliver`. */
  hold(): void;
  /** Send events as they happen, those that wait included, until they are taken. */
  flow(): void;
  readonly waiting: readonly RecordedEvent[];
  /** Sends what waits, once each; what is not taken waits on. */
  deliver(options?: DeliveryOptions): Promise<Delivery[]>;
  /** Sends nothing any more. */
  stop(): void;
}

export interface WebhooksOptions {
  /** Without one, events only wait. */
  send: Send | undefined;
  secrets: string[];
  /** Milliseconds until attempt `n` is made after the one before has failed. */
  retryAfterMs?: (attempt: number) => number;
  onChange?: () => void;
}

const LONGEST_WAIT_MS = 60 * 60 * 1000;

export function createWebhooks(options: WebhooksOptions): Webhooks {
  const { send, secrets, onChange = () => {} } = options;
  const retryAfterMs = options.retryAfterMs ?? ((attempt) => Math.min(LONGEST_WAIT_MS, 1000 * 2 ** attempt));
  const waiting = new Map<string, RecordedEvent>();
  const timers = new Set<NodeJS.Timeout>();
  let flowing = false;

  async function attempt(event: RecordedEvent): Promise<number> {
    const status = (await send?.(sign(event, secrets)).catch(() => 0)) ?? 0;
    if (status >= 200 && status < 300 && waiting.delete(event.id)) onChange();
    return status;
  }

  function later(work: () => void, ms: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms).unref();
    timers.add(timer);
  }

  async function persist(event: RecordedEvent, attempts = 0): Promise<void> {
    if (!flowing || !waiting.has(event.id)) return;
    await attempt(event);
    if (waiting.has(event.id)) later(() => void persist(event, attempts + 1), retryAfterMs(attempts));
  }

  function stop() {
    flowing = false;
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  }

  return {
    enqueue(event) {
      waiting.set(event.id, event);
      // What made it happen is answered first.
      if (flowing) later(() => void persist(event), 0);
    },
    hold: stop,
    flow() {
      flowing = send !== undefined;
      for (const event of waiting.values()) later(() => void persist(event), 0);
    },
    get waiting() {
      return [...waiting.values()];
    },
    async deliver({
      order = (events: RecordedEvent[]) => events,
      copies = 1,
      drop = () => false,
      atOnce = 1,
    } = {}) {
      for (const event of [...waiting.values()].filter(drop)) waiting.delete(event.id);
      const queue = order(Array.from({ length: copies }, () => [...waiting.values()]).flat());
      const deliveries: Delivery[] = [];
      const worker = async () => {
        for (let event = queue.shift(); event; event = queue.shift()) {
          deliveries.push({ event, status: await attempt(event) });
        }
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
      return deliveries;
    },
    stop,
  };
}
