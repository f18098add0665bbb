import { type ClientErrorCode, NectarError } from "./errors.ts";
import { toNectarError } from "./to-nectar-error.ts";

/** What any call of the database may fail with, besides its own codes. */
export type CommonErrorCode = ClientErrorCode | keyof typeof commonMessages;

const commonMessages = {
  missing_credentials: "Sign in first.",
  invalid_token: "The access token is not valid. Refresh the session and try again.",
  invalid_id: "This is not the id of anything. An id is a UUID.",
  database_unavailable: "The database cannot be reached. Try again soon.",
};

/** The answer, or why there is none: exactly one of `data` and `error` is there. */
export type Outcome<T, Code extends string> =
  | { data: T; error: null }
  | { data: null; error: NectarError<Code | CommonErrorCode> };

/** What supabase-js answers with. */
interface Answer<T> {
  data: T | null;
  error: unknown;
  status: number;
}

/** Waits for supabase-js, and keeps its error within the codes that the caller's user interface knows. Never throws. */
export async function outcome<T, Code extends string>(
  request: PromiseLike<Answer<T>>,
  codes: readonly Code[],
): Promise<Outcome<T, Code>> {
  try {
    const answer = await request;
    if (!answer.error) return { data: answer.data as T, error: null };
    return { data: null, error: within(codes, toNectarError(answer)) };
  } catch (thrown) {
    return { data: null, error: within(codes, toNectarError(thrown)) };
  }
}

/** The failure that a call finds by itself. */
export function failed<Code extends string>(
  code: Code,
  message: string,
): { data: null; error: NectarError<Code> } {
  return { data: null, error: new NectarError(code, message, { status: 404 }) };
}

const ofTheClient: readonly string[] = [
  "network_error",
  "aborted",
  "unexpected_answer",
] satisfies ClientErrorCode[];

function within<Code extends string>(
  codes: readonly Code[],
  error: NectarError,
): NectarError<Code | CommonErrorCode> {
  const expected: readonly string[] = [...codes, ...ofTheClient, ...Object.keys(commonMessages)];
  if (expected.includes(error.code)) return error as NectarError<Code | CommonErrorCode>;
  const common = commonCode(error);
  if (common === "not_permitted" && expected.includes(common)) {
    return renamed(common as Code, "Your role does not permit this.", error);
  }
  if (common && common !== "not_permitted") return renamed(common, commonMessages[common], error);
  return renamed("unexpected_answer", error.message, error);
}

/** PostgreSQL's and PostgREST's names for what every call may meet. */
function commonCode({
  code,
  status,
}: NectarError): keyof typeof commonMessages | "not_permitted" | undefined {
  if (code === "PGRST301" || code === "PGRST303") return "invalid_token";
  if (code === "42501") return status === 401 ? "missing_credentials" : "not_permitted";
  if (code === "22P02") return "invalid_id";
  return status === 503 ? "database_unavailable" : undefined;
}

function renamed<Code extends string>(code: Code, message: string, error: NectarError): NectarError<Code> {
  return new NectarError(code, message, {
    status: error.status,
    details: { code: error.code },
    cause: error,
  });
}
