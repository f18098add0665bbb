import { json } from "./replies.ts";
import type { TokenError } from "./tokens.ts";

/** A refusal by the auth server, with GoTrue's status and error code. Thrown inside a transaction, it undoes it. */
export class AuthError extends Error {
  override name = "AuthError";
  readonly status: number;
  readonly code: string | undefined;
  readonly extra: Record<string, unknown>;

  constructor(
    status: number,
    code: string | undefined,
    message: string,
    extra: Record<string, unknown> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.extra = extra;
  }
}

export const validationFailed = (message: string) => new AuthError(400, "validation_failed", message);
export const userNotFound = () => new AuthError(404, "user_not_found", "User not found");
export const emailExists = () =>
  new AuthError(422, "email_exists", "A user with this email address has already been registered");
export const badJson = (problem: string) =>
  new AuthError(400, "bad_json", `Could not parse request body as JSON: ${problem}`);
export const badJwt = (message: string) => new AuthError(403, "bad_jwt", message);

/** GoTrue's words for a token that it does not believe. */
export function refusedToken({ reason, message }: TokenError): AuthError {
  const problem = {
    malformed: `token is malformed: ${message}`,
    "unreadable-header": `token is malformed: ${message}`,
    signature: `token signature is invalid: ${message}`,
    expired: `token has invalid claims: ${message}`,
    "not-yet-valid": `token has invalid claims: ${message}`,
    audience: `token has invalid claims: ${message}`,
  }[reason];
  return badJwt(`invalid JWT: unable to parse or verify signature, ${problem}`);
}

export function authErrorResponse({ status, code, message, extra }: AuthError): Response {
  const errorCode = code ?? (status === 500 ? "unexpected_failure" : "unknown");
  const headers: Record<string, string> = code ? { "x-sb-error-code": code } : {};
  return json(status, { code: status, error_code: errorCode, msg: message, ...extra }, headers);
}

const VERSION = "2024-01-01";

/** Clients that speak API version 2024-01-01 get `{code, message}` for an error, and every answer names its version. */
export async function inApiVersion(request: Request, response: Response): Promise<Response> {
  const asked = request.headers.get("x-supabase-api-version") ?? "";
  if (!/^\d{4}-\d\d-\d\d$/.test(asked) || asked < VERSION) return response;
  const headers = new Headers(response.headers);
  headers.set("x-supabase-api-version", VERSION);
  const isJson = headers.get("content-type")?.includes("json");
  if (response.status < 400 || !isJson)
    return new Response(response.body, { status: response.status, headers });
  const {
    error_code: code,
    msg: message,
    code: _status,
    ...rest
  } = (await response.json()) as Record<string, unknown>;
  headers.delete("content-length");
  return new Response(JSON.stringify({ code, message, ...rest }), { status: response.status, headers });
}
