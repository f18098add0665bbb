import postgres from "postgres";
import { postgrestError } from "./replies.ts";
import type { TokenError } from "./tokens.ts";

/** The status that PostgREST gives an SQLSTATE. `anonymous`: the request has no signed-in user. */
export function statusOf(sqlstate: string, message: string, anonymous: boolean): number {
  if (sqlstate === "42501") return anonymous ? 401 : 403;
  if (sqlstate === "21000") return message.endsWith("requires a WHERE clause") ? 400 : 500;
  if (sqlstate === "22023") return /^role .* does not exist$/s.test(message) ? 401 : 400;
  if (sqlstate === "42883" && message.startsWith("function xmlagg(")) return 406;
  const custom = /^PT([2-5]\d\d)$/.exec(sqlstate)?.[1];
  if (custom) return Number(custom);
  return BY_CODE[sqlstate] ?? BY_CLASS[sqlstate.slice(0, 2)] ?? 400;
}

const BY_CODE: Record<string, number> = {
  "23503": 409,
  "23505": 409,
  "25006": 405,
  "42883": 404,
  "42P01": 404,
  "42P17": 500,
  "53400": 500,
  "57P01": 503,
  P0001: 400,
};

const BY_CLASS: Record<string, number> = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  "25": 500,
  "28": 403,
  "2D": 500,
  "38": 500,
  "39": 500,
  "3B": 500,
  "40": 500,
  "53": 503,
  "54": 500,
  "55": 500,
  "57": 500,
  "58": 500,
  F0: 500,
  HV: 500,
  P0: 500,
  PT: 500,
  XX: 500,
};

/** PostgREST's answer to an error of the database; undefined when the error is none. */
export function databaseErrorResponse(error: unknown, anonymous: boolean): Response | undefined {
  if (!(error instanceof postgres.PostgresError)) return connectionErrorResponse(error);
  const { code, message, detail = null, hint = null } = error;
  if (code === "PGRST") return raisedResponse(message, detail);
  const status = statusOf(code, message, anonymous);
  const headers: Record<string, string> = status === 401 ? { "www-authenticate": "Bearer" } : {};
  return postgrestError(status, { code, message, details: detail, hint }, headers);
}

// The driver's own text would name host and port.
function connectionErrorResponse(error: unknown): Response | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== "string" || !/^(CONNECT|ECONN|CONNECTION_|ETIMEDOUT|EPIPE)/.test(code))
    return undefined;
  const message = "Database connection error. Retrying the connection.";
  return postgrestError(503, { code: "PGRST000", message });
}

/** `raise sqlstate 'PGRST'`: the function writes the whole answer itself, as JSON in message and detail. */
function raisedResponse(message: string, detail: string | null): Response {
  const body = parseObject(message);
  const answer = parseObject(detail ?? "");
  const status = answer?.["status"];
  if (!body || typeof body["code"] !== "string" || typeof body["message"] !== "string") {
    return unparsable(
      `Invalid JSON value for MESSAGE: '${message}'`,
      "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.",
    );
  }
  if (!answer || !validStatus(status) || typeof answer["headers"] !== "object") {
    return unparsable(
      detail === null
        ? "DETAIL is missing in the RAISE statement"
        : `Invalid JSON value for DETAIL: '${detail}'`,
      "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.",
    );
  }
  const { code, message: text } = body;
  const [details, hint] = [body["details"], body["hint"]].map((v) => (typeof v === "string" ? v : null));
  const headers = answer["headers"] as Record<string, string>;
  return postgrestError(
    status,
    { code, message: text, details: details ?? null, hint: hint ?? null },
    headers,
  );
}

const validStatus = (status: unknown): status is number =>
  typeof status === "number" && Number.isInteger(status) && status >= 200 && status <= 599;

function unparsable(details: string, hint: string): Response {
  const message = `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`;
  return postgrestError(500, { code: "PGRST121", message, details, hint });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** PostgREST's answer to a token that it does not believe. */
export function tokenErrorResponse(error: TokenError, token: string): Response {
  const { code, message, details = null } = describe(error, token);
  const challenge = `Bearer error="invalid_token", error_description=${JSON.stringify(message)}`;
  return postgrestError(401, { code, message, details }, { "www-authenticate": challenge });
}

function describe(
  { reason }: TokenError,
  token: string,
): { code: string; message: string; details?: string } {
  if (token === "") return { code: "PGRST301", message: "Empty JWT is sent in Authorization header" };
  if (reason === "malformed") {
    return { code: "PGRST301", message: `Expected 3 parts in JWT; got ${token.split(".").length}` };
  }
  if (reason === "expired") return { code: "PGRST303", message: "JWT expired" };
  if (reason === "not-yet-valid") return { code: "PGRST303", message: "JWT not yet valid" };
  if (reason === "audience") return { code: "PGRST303", message: "JWT not in audience" };
  const details = "None of the keys was able to decode the JWT";
  return { code: "PGRST301", message: "No suitable key or wrong key type", details };
}
