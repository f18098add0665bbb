/**
 * Every code a function may answer with. Codes are part of the API: add, never rename.
 * The message is the default one; it tells the caller what to do.
 */
export const errorCodes = {
  malformed_body: { status: 400, message: "The body cannot be read. Send it as its content type says." },
  validation_failed: { status: 400, message: "The request is not valid. See details.issues." },
  invalid_email: { status: 400, message: "This is not an e-mail address." },
  unknown_role: { status: 400, message: "There is no such role in this organization." },
  unknown_price: {
    status: 400,
    message: "This price is not sold. Choose one of plan_prices that is active.",
  },
  prices_do_not_mix: {
    status: 400,
    message: "Prices of one subscription have the same interval and currency, each named once.",
  },
  return_url_not_allowed: {
    status: 400,
    message:
      "The browser may return only to the product's own pages. Allow the origin in BILLING_RETURN_ORIGINS.",
  },
  invalid_signature: {
    status: 400,
    message:
      "The signature does not fit the body. Send the body unchanged, signed with a secret that is current.",
  },
  wrong_stripe_mode: {
    status: 400,
    message: "The event is of the other mode than the backend's key. Send test events to a test backend.",
  },
  missing_credentials: { status: 401, message: "Sign in, or send the key this route asks for." },
  invalid_token: {
    status: 401,
    message: "The access token is not valid. Refresh the session and try again.",
  },
  invalid_api_key: {
    status: 401,
    message: "The API key is not one of this project. Check the apikey header.",
  },
  payment_failed: { status: 402, message: "The payment was declined. Use another card, then try again." },
  not_permitted: { status: 403, message: "You need a permission that you do not have in this organization." },
  role_above_own: {
    status: 403,
    message: "You can give a role only up to your own. Ask somebody with that role or an owner.",
  },
  not_found: { status: 404, message: "There is no such route. Check the path." },
  invitation_not_found: {
    status: 404,
    message: "There is no such invitation. It may have been accepted, declined or revoked.",
  },
  method_not_allowed: { status: 405, message: "The route does not take this method. See the Allow header." },
  already_invited: {
    status: 409,
    message: "This person is invited already. Send the invitation again instead.",
  },
  already_member: { status: 409, message: "This person is a member already. Change their role instead." },
  no_seat_left: { status: 409, message: "The organization has no seat left. Ask its owner for one." },
  already_subscribed: {
    status: 409,
    message: "The organization has a subscription. Change that one instead.",
  },
  no_subscription: {
    status: 409,
    message: "The organization has no subscription. Start one with a checkout.",
  },
  too_few_seats: {
    status: 409,
    message: "There are more members than these seats. Buy more, or remove members first.",
  },
  too_many_seats: { status: 409, message: "The plan has fewer seats than these. Choose a larger plan." },
  subscription_changed: {
    status: 409,
    message: "The subscription was changed meanwhile. Look at it, then try again.",
  },
  preview_expired: { status: 409, message: "The preview is too old to be charged. Ask for a new one." },
  payload_too_large: { status: 413, message: "The body is too large. Send less." },
  unsupported_media_type: { status: 415, message: "The route does not take this content type." },
  too_many_invitations: {
    status: 429,
    message: "The organization has too many open invitations. Revoke some first.",
  },
  internal: { status: 500, message: "Something failed on our side. Report the request_id." },
  event_not_applied: { status: 500, message: "The event was not applied. Send it again." },
  billing_unavailable: { status: 503, message: "Billing cannot be reached. Try again soon." },
  database_unavailable: { status: 503, message: "The database cannot be reached. Try again soon." },
  mongodb_unavailable: { status: 503, message: "The document store cannot be reached. Try again soon." },
} as const satisfies Record<string, { status: number; message: string }>;

/** A stable, machine-readable name of what went wrong. */
export type ErrorCode = keyof typeof errorCodes;

/** The body of every error answer. */
export interface ErrorBody {
  error: { code: ErrorCode; message: string; details?: Record<string, unknown>; request_id: string };
}

export interface AppErrorOptions {
  /** Instead of the code's own sentence. Shown to the caller: no secrets, hosts or driver texts. */
  message?: string;
  /** Facts a program can act on. Shown to the caller. */
  details?: Record<string, unknown>;
  /** Headers of the answer, such as `allow` or `retry-after`. */
  headers?: Record<string, string>;
  /** What happened underneath. Logged, never shown. */
  cause?: unknown;
}

/** An answer that is an error: thrown anywhere in a handler, written by the app's error handler. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly details: Record<string, unknown> | undefined;
  readonly headers: Record<string, string>;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? errorCodes[code].message, { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.headers = options.headers ?? {};
  }

  get status(): (typeof errorCodes)[ErrorCode]["status"] {
    return errorCodes[this.code].status;
  }

  toBody(requestId: string): ErrorBody {
    return {
      error: {
        code: this.code,
        message: this.message,
        ...(this.details && { details: this.details }),
        request_id: requestId,
      },
    };
  }
}
