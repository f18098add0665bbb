import { AppError, type ErrorCode, errorCodes } from "./errors.ts";

/** What supabase-js answers with when the database refuses. */
interface Refused {
  error: { code?: string; message: string; hint?: string | null; details?: string | null };
  status: number;
}

/** PostgreSQL's and PostgREST's own codes, where they mean one of ours. */
const known: Record<string, ErrorCode> = {
  "42501": "not_permitted",
  PGRST301: "invalid_token",
  PGRST303: "invalid_token",
};

/** Null characters and halves of them, ids that are none, times and offsets that no calendar has: of callers alone. */
const unholdable = /^22(P02|P05|007|008|009)$/;

/**
 * The answer for what the database refused. Our SQL raises with a stable code as its hint and a sentence for a
 * person: both are kept, and so is which limit was reached. A broken constraint has our code as its name. What is none of ours stays in the log.
 */
export function databaseError({ error, status }: Refused): AppError {
  const { code = "", hint, message, details } = error;
  if (hint && Object.hasOwn(errorCodes, hint)) {
    return new AppError(hint as ErrorCode, {
      message,
      cause: describe(error),
      ...(hint === "limit_reached" && details && { details: { limit: details } }),
    });
  }
  const rule = /^23\d{3}$/.test(code) && message.match(/constraint "([a-z_]+)"/)?.[1];
  if (rule && Object.hasOwn(errorCodes, rule)) {
    return new AppError(rule as ErrorCode, { cause: describe(error) });
  }
  if (unholdable.test(code)) {
    return new AppError("validation_failed", {
      message: "The request holds a text or time that cannot be stored.",
      cause: describe(error),
    });
  }
  const ours = known[code] ?? (status === 0 || status === 503 ? "database_unavailable" : "internal");
  return new AppError(ours, { cause: describe(error) });
}

type Answer = { data: unknown; error: null } | { data: null } & Refused;

/** The data of an answer of supabase-js. @throws {AppError} when it is an error. */
export function dataOf<A extends Answer>(answer: A): Extract<A, { error: null }>["data"] {
  if (answer.error) throw databaseError(answer);
  return answer.data;
}

const describe = ({ code, message }: Refused["error"]) => new Error(`${code || "no answer"}: ${message}`);
