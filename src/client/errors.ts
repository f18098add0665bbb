import type { components } from "../../types/functions.ts";

/** What functions answer with: a closed list, generated from their schemas. */
export type FunctionErrorCode = components["schemas"]["Error"]["error"]["code"];

/** What only the client can see. */
export type ClientErrorCode = "network_error" | "aborted" | "unexpected_answer";

export interface NectarErrorOptions {
  status?: number | undefined;
  requestId?: string | undefined;
  details?: Record<string, unknown> | undefined;
  cause?: unknown;
}

/**
 * Whatever went wrong, in one shape: from a function, from the database, from the auth server, or on the way there.
 * Switch on `code`.
 */
export class NectarError<Code extends string = string> extends Error {
  override readonly name: string = "NectarError";
  /** Stable, machine-readable. */
  readonly code: Code;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Names the request in the backend's logs. */
  readonly requestId: string | undefined;
  /** Facts a program can act on, such as `issues` of a request that was not valid. */
  readonly details: Record<string, unknown> | undefined;

  constructor(code: Code, message: string, options: NectarErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.requestId = options.requestId;
    this.details = options.details;
  }
}

/** No answer came: offline, refused, or cut off. Trying again may help. */
export class NectarNetworkError extends NectarError<"network_error"> {
  override readonly name = "NectarNetworkError";

  constructor(cause: unknown) {
    super("network_error", "The backend cannot be reached. Check the connection and try again.", { cause });
  }
}

/** The caller's own AbortSignal ended the request. `cause` is its reason, such as a TimeoutError. */
export class NectarAbortError extends NectarError<"aborted"> {
  override readonly name = "NectarAbortError";

  constructor(cause: unknown) {
    super("aborted", "The request was aborted.", { cause });
  }
}

/** What a call of a function fails with. */
export type FunctionError = NectarError<FunctionErrorCode | ClientErrorCode>;

/** The error of a function's answer that is not a success. */
export function fromAnswer(body: unknown, { status, headers }: Response): FunctionError {
  const requestId = headers.get("x-request-id") ?? undefined;
  const error = isRecord(body) ? body["error"] : undefined;
  if (isRecord(error) && typeof error["code"] === "string" && typeof error["message"] === "string") {
    const details = isRecord(error["details"]) ? error["details"] : undefined;
    return new NectarError(error["code"] as FunctionErrorCode, error["message"], {
      status,
      requestId,
      details,
    });
  }
  // The platform or a proxy answered instead of the function, or the function reports in a shape of its own.
  return new NectarError("unexpected_answer", `The backend answered with status ${status}.`, {
    status,
    requestId,
    details: isRecord(body) ? body : undefined,
  });
}

/** The error of a fetch that threw. */
export function fromThrown(thrown: unknown, signal?: AbortSignal | null): FunctionError {
  if (signal?.aborted) return new NectarAbortError(signal.reason);
  if (isRecord(thrown) && thrown["name"] === "AbortError") return new NectarAbortError(thrown);
  if (thrown instanceof SyntaxError) {
    return new NectarError("unexpected_answer", "The backend's answer cannot be read.", { cause: thrown });
  }
  return new NectarNetworkError(thrown);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
