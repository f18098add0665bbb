import { AppError } from "../_shared/errors.ts";

/** What the SDK throws, by name: it is loaded only where it is used. See https://docs.stripe.com/api/errors */
interface StripeError extends Error {
  type: string;
  code?: string;
  param?: string;
  decline_code?: string;
}

const isStripeError = (error: unknown): error is StripeError =>
  error instanceof Error && "type" in error &&
  String(error.type).startsWith("Stripe");

/** True when Stripe says that the customer that we named is gone. */
export const isMissingCustomer = (error: unknown) =>
  isStripeError(error) && error.code === "resource_missing" &&
  error.param === "customer";

/** Waits for Stripe, and answers for it. @throws {AppError} `payment_failed` or `billing_unavailable`. */
export async function fromStripe<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    throw toAppError(error);
  }
}

function toAppError(error: unknown): unknown {
  if (!isStripeError(error)) return error;
  if (error.type === "StripeCardError") {
    const reason = error.decline_code ?? error.code;
    return new AppError("payment_failed", {
      cause: error,
      ...(reason && { details: { reason } }),
    });
  }
  if (isMissingCustomer(error)) return error;
  // The one parameter that callers hand through: where a page begins.
  if (error.param === "starting_after") {
    return new AppError("validation_failed", { cause: error });
  }
  // A request that Stripe finds wrong is our mistake; what else there is passes.
  return error.type === "StripeInvalidRequestError"
    ? new AppError("internal", { cause: error })
    : new AppError("billing_unavailable", { cause: error });
}
