/**
 * Every code a function may answer with. Codes are part of the API: add, never rename.
 * The message is the default one; it tells the caller what to do.
 */
export const errorCodes = {
  malformed_body: { status: 400, message: "The body cannot be read. Send it as its content type says." },
  validation_failed: { status: 400, message: "The request is not valid. See details.issues." },
  invalid_email: { status: 400, message: "This is not an e-mail address." },
  unknown_application: { status: 400, message: "There is no such application in this organization." },
  invalid_connection_name: {
    status: 400,
    message: "A name has 1 to 100 visible characters, without < and >.",
  },
  tls_mode_not_allowed: {
    status: 400,
    message:
      "This backend connects only where the certificate is checked. Use verify-full, or verify-ca with a CA certificate.",
  },
  password_required: {
    status: 400,
    message: "Give the password again: it is not sent to a new place, or in a new way, without you.",
  },
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
  invalid_workflow: { status: 400, message: "The workflow is not valid. See details.issues." },
  unknown_connection: {
    status: 400,
    message:
      "A step names a database connection that this organization does not have. See details.connections.",
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
  invalid_key: { status: 401, message: "The API key is not valid. Check that it was copied whole." },
  expired: { status: 401, message: "The API key has expired. Use its successor, or make another." },
  revoked: { status: 401, message: "The API key was revoked. Make another." },
  payment_failed: { status: 402, message: "The payment was declined. Use another card, then try again." },
  invoice_unpaid: {
    status: 402,
    message: "What was billed for this period is not paid yet. Pay it, or wait until it is, then try again.",
  },
  limit_reached: {
    status: 402,
    message: "The organization has as much of it as its plan allows. Delete some, or choose a larger plan.",
  },
  payment_required: {
    status: 402,
    message: "The organization's subscription is suspended. Ask those who see to its billing.",
  },
  not_permitted: { status: 403, message: "You need a permission that you do not have in this organization." },
  invalid_link: { status: 403, message: "This link is not valid, or its time is over. Ask for a new one." },
  role_above_own: {
    status: 403,
    message: "You can give a role only up to your own. Ask somebody with that role or an owner.",
  },
  forbidden_scope: { status: 403, message: "The API key does not have the scope that this route asks for." },
  forbidden_ip: { status: 403, message: "The API key is not good for calls from this address." },
  forbidden_origin: { status: 403, message: "The API key is not good for calls from this origin." },
  organization_closed: { status: 403, message: "The organization is closed. Its owners can restore it." },
  not_found: { status: 404, message: "There is no such route. Check the path." },
  artifact_not_found: { status: 404, message: "There is no such artifact in this organization." },
  invitation_not_found: {
    status: 404,
    message: "There is no such invitation. It may have been accepted, declined or revoked.",
  },
  connection_not_found: { status: 404, message: "There is no such connection that you may use." },
  organization_not_found: { status: 404, message: "There is no such organization." },
  schema_not_found: {
    status: 404,
    message: "There is no such snapshot, table or column. Introspect the connection first.",
  },
  workflow_not_found: { status: 404, message: "There is no such workflow in this organization." },
  version_not_found: { status: 404, message: "The workflow has no such version." },
  method_not_allowed: { status: 405, message: "The route does not take this method. See the Allow header." },
  already_invited: {
    status: 409,
    message: "This person is invited already. Send the invitation again instead.",
  },
  already_member: { status: 409, message: "This person is a member already. Change their role instead." },
  connection_name_taken: {
    status: 409,
    message: "Another connection of this organization has this name. Choose another.",
  },
  connection_changed: {
    status: 409,
    message: "Somebody changed this connection meanwhile. Load it again.",
  },
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
  route_taken: { status: 409, message: "Another published workflow answers this method and path." },
  workflow_archived: { status: 409, message: "This workflow is archived. Restore it first." },
  workflow_not_archived: { status: 409, message: "This workflow is published. Archive it first." },
  workflow_slug_taken: { status: 409, message: "Another workflow of this organization has this slug." },
  stale_revision: {
    status: 412,
    message: "Somebody changed this in the meantime. Read it again, and repeat your change on what you find.",
  },
  payload_too_large: { status: 413, message: "The body is too large. Send less." },
  unsupported_media_type: { status: 415, message: "The route does not take this content type." },
  revision_required: {
    status: 428,
    message: "Say in If-Match which revision you change: the ETag of what you read.",
  },
  too_many_invitations: {
    status: 429,
    message: "The organization has too many open invitations. Revoke some first.",
  },
  too_many_tests: { status: 429, message: "Too many tests. Try again in a while." },
  rate_limited: { status: 429, message: "Too many requests at once. Try again after Retry-After seconds." },
  quota_exceeded: {
    status: 429,
    message: "The quota of this period is used up. Wait for the next one, or choose a larger plan.",
  },
  internal: { status: 500, message: "Something failed on our side. Report the request_id." },
  event_not_applied: { status: 500, message: "The event was not applied. Send it again." },
  billing_unavailable: { status: 503, message: "Billing cannot be reached. Try again soon." },
  secret_unreadable: {
    status: 500,
    message: "The stored password cannot be read. Give it again, and report the request_id.",
  },
  links_unavailable: {
    status: 503,
    message: "This backend is set up without keys for links. Download directly.",
  },
  database_unavailable: { status: 503, message: "The database cannot be reached. Try again soon." },
  mongodb_unavailable: { status: 503, message: "The document store cannot be reached. Try again soon." },
  master_key_missing: {
    status: 503,
    message: "This backend lacks the key that passwords are kept under. Ask its operator.",
  },
  tester_unavailable: {
    status: 503,
    message: "The host that tests connections cannot be reached. Try again soon.",
  },
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
