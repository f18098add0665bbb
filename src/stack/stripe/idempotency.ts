import { createHash } from "node:crypto";
import { StripeFailure } from "./failure.ts";

export interface Answer {
  status: number;
  body: string;
}

/** The answers of requests that came with a key: the same again is answered as the first time. */
export interface Idempotency {
  /** @throws {StripeFailure} when the key was used for another request. */
  recall(key: string, request: string): Answer | undefined;
  keep(key: string, request: string, answer: Answer): void;
}

const MOST = 10_000;

export function createIdempotency(): Idempotency {
  const kept = new Map<string, { request: string; answer: Answer }>();
  const digest = (request: string) => createHash("sha256").update(request).digest("base64");
  return {
    recall(key, request) {
      const known = kept.get(key);
      if (!known) return undefined;
      if (known.request === digest(request)) return known.answer;
      throw new StripeFailure(400, {
        type: "idempotency_error",
        message:
          "Keys for idempotent requests can only be used with the same parameters they were first used with.",
      });
    },
    keep(key, request, answer) {
      kept.set(key, { request: digest(request), answer });
      for (const oldest of kept.keys()) {
        if (kept.size <= MOST) break;
        kept.delete(oldest);
      }
    },
  };
}
