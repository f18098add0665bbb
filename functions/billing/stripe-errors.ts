import { AppError } from "../_shared/errors.ts";

/** What the SDK throws, by name: it is loaded only where it is used. See https://docs.stripe.com/api/errors */
interface StripeError extends Error {
  type: string;
  statusCode?: number;
  code?: string;
  param?: string;
  decline_code?: string;
  headers?: Record<string, string>;
}

const isStripeError = (error: unknown): error is StripeError =>
  error instanceof Error && "type" in error && String(error.type).startsWith("Stripe");

/** What Stripe said, where that is why we answer as we do. */
const stripesOwn = (error: unknown): StripeError | undefined =>
  error instanceof AppError && isStripeError(error.cause) ? error.cause : undefined;

/** True when Stripe says that the customer that we named is gone. */
export function isMissingCustomer(error: unknown): boolean {
  const own = stripesOwn(error);
  return own?.code === "resource_missing" && own.param === "customer";
}

/** True when somebody used the same idempotency key for something else. */
export const isTaken = (error: unknown): boolean => stripesOwn(error)?.type === "StripeIdempotencyError";

/** True when Stripe itself failed: it does so again for the same idempotency key. In a conflict, another is at it just now. */
export function isFailure(error: unknown): boolean {
  const own = stripesOwn(error);
  return own?.type === "StripeAPIError" && own.statusCode !== 409;
}

/** True when it is what Stripe said to an earlier request with the same idempotency key. */
export const isRepeated = (error: unknown): boolean =>
  stripesOwn(error)?.headers?.["idempotent-replayed"] === "true";

/** True when Stripe finds the request wrong as things stand there, and not for what the caller chose. */
export const isRefused = (error: unknown): boolean =>
  error instanceof AppError && error.code === "internal" && stripesOwn(error) !== undefined;

/**
 * Waits for Stripe, and answers for it.
 *
 * @throws {AppError} `payment_failed`, `prices_do_not_mix`, `unknown_price`, `preview_expired`, `validation_failed`,
 * `billing_unavailable` or `internal`.
 */
export async function fromStripe<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    throw toAppError(error);
  }
}

function toAppError(error: unknown): unknown {
  if (!isStripeError(error)) return error;
  const { type, code, param, message } = error;
  if (type === "StripeCardError") {
    const reason = error.decline_code || code;
    return new AppError("payment_failed", { cause: error, ...(reason && { details: { reason } }) });
  }
  // Of these two Stripe tells no code of their own.
  if (/no attached payment source/.test(message)) {
    const sentence = "There is nothing to pay with. Leave a card on the portal, then try again.";
    return new AppError("payment_failed", { cause: error, message: sentence });
  }
  if (/combine currencies|match the customer currency/.test(message)) {
    const sentence =
      "What else the organization has at Stripe is in another currency. Choose a price in that one.";
    return new AppError("prices_do_not_mix", { cause: error, message: sentence });
  }
  // Archived at Stripe, and not yet here.
  if (param?.endsWith("[price]")) return new AppError("unknown_price", { cause: error });
  // A period has begun since the preview.
  if (param?.includes("proration_date")) return new AppError("preview_expired", { cause: error });
  // What callers hand through: where a page begins, and how much of something they want.
  if (param === "starting_after" || code === "amount_too_large") {
    return new AppError("validation_failed", { cause: error });
  }
  // Another request that Stripe finds wrong is our mistake; what else there is passes, or is the operator's to mend.
  const ours = type === "StripeInvalidRequestError" && param !== "customer";
  return new AppError(ours ? "internal" : "billing_unavailable", { cause: error });
}
