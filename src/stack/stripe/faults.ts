import { setTimeout as sleep } from "node:timers/promises";
import { StripeFailure } from "./failure.ts";

/** What goes wrong with the next requests that it fits. */
export interface Fault {
  /** 429, 500, 503 …; without one the request is only late. */
  status?: number;
  /** How many requests. Default 1. */
  times?: number;
  method?: string;
  /** Of the path, such as `/v1/subscriptions/`. Default: any. */
  path?: RegExp;
  /** The work is done, and its answer lost. Default: it fails before. */
  afterwards?: boolean;
  /** The `Stripe-Should-Retry` header. Default: absent. */
  shouldRetry?: boolean;
  retryAfterSeconds?: number;
  latencyMs?: number;
}

export interface Faults {
  /** From now on, in the order given. */
  plan(...faults: Fault[]): void;
  clear(): void;
  /** Takes the fault that this request meets, and waits as long as it is late. */
  meet(method: string, path: string): Promise<Fault | undefined>;
}

export function createFaults(): Faults {
  let planned: Fault[] = [];
  return {
    plan: (...faults) => void planned.push(...faults.map((fault) => ({ times: 1, ...fault }))),
    clear() {
      planned = [];
    },
    async meet(method, path) {
      const fault = planned.find(
        (one) => (!one.method || one.method === method) && (!one.path || one.path.test(path)),
      );
      if (!fault) return undefined;
      fault.times = (fault.times ?? 1) - 1;
      planned = planned.filter(({ times = 0 }) => times > 0);
      if (fault.latencyMs) await sleep(fault.latencyMs);
      return fault;
    },
  };
}

export function failureOf(status: number): StripeFailure {
  return status === 429
    ? new StripeFailure(429, {
        type: "invalid_request_error",
        code: "rate_limit",
        message: "Request rate limit exceeded.",
      })
    : new StripeFailure(status, { type: "api_error", message: "An error occurred within the stand-in." });
}
