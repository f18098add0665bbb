/**
 * Every code a function may answer with. Codes are part of the API: add, never rename.
 * The message is the default one; it tells the caller what to do.
 */
export const errorCodes = {
  malformed_body: { status: 400, message: "The body cannot be read. Send it as its content type says." },
  validation_failed: { status: 400, message: "The request is not valid. See details.issues." },
  invalid_email: { status: 400, message: "This is not an e-mail address." },
  unknown_role: { status: 400, message: "There is no such role in this organization." },
  invalid_workflow: { status: 400, message: "The workflow is not valid. See details.issues." },
  unknown_application: { status: 400, message: "There is no such application in this organization." },
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
  not_permitted: { status: 403, message: "You need a permission that you do not have in this organization." },
  invalid_link: { status: 403, message: "This link is not valid, or its time is over. Ask for a new one." },
  role_above_own: {
    status: 403,
    message: "You can give a role only up to your own. Ask somebody with that role or an owner.",
  },
  not_found: { status: 404, message: "There is no such route. Check the path." },
  artifact_not_found: { status: 404, message: "There is no such artifact in this organization." },
  invitation_not_found: {
    status: 404,
    message: "There is no such invitation. It may have been accepted, declined or revoked.",
  },
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
  no_artifact_space: {
    status: 409,
    message:
      "The organization's artifacts take as many bytes as its plan allows. Delete some, or change the plan.",
  },
  no_seat_left: { status: 409, message: "The organization has no seat left. Ask its owner for one." },
  no_workflow_left: {
    status: 409,
    message: "The organization has as many workflows as its plan allows. Delete one, or change the plan.",
  },
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
  internal: { status: 500, message: "Something failed on our side. Report the request_id." },
  links_unavailable: {
    status: 503,
    message: "This backend is set up without keys for links. Download directly.",
  },
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
