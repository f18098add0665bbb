import { AppError } from "../_shared/errors.ts";
import { type Event, parseEvent } from "./event.ts";

/** How old a signature may be: Stripe's own recommendation. Retries are signed anew. */
const TOLERANCE_SECONDS = 300;

/**
 * Reads an event whose signature was made with one of the secrets: while one is rolled over, there are two.
 *
 * @throws {AppError} `invalid_signature`, or `malformed_body` for what is signed and no event.
 */
export async function readSigned(
  body: Uint8Array,
  signature: string | undefined,
  secrets: readonly string[],
  now: number,
): Promise<Event> {
  const { default: Stripe } = await import("stripe");
  for (const secret of secrets) {
    try {
      const event: unknown = await Stripe.webhooks.constructEventAsync(
        body,
        signature ?? "",
        secret,
        TOLERANCE_SECONDS,
        undefined,
        now,
      );
      return parseEvent(event);
    } catch (error) {
      if (error instanceof AppError) throw error;
      // What is not JSON, or a thin event of API v2, was signed all the same.
      if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) {
        throw new AppError("malformed_body", { cause: error });
      }
    }
  }
  // Without the library's own error: that holds the body and the header.
  throw new AppError("invalid_signature");
}
