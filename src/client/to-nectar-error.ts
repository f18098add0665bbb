import { brokenConstraint, constraintMessages } from "./constraints.ts";
import { fromThrown, isRecord, NectarAbortError, NectarError, NectarNetworkError } from "./errors.ts";

/** Our SQL raises with its stable code as the hint; PostgreSQL's own hints are sentences. */
const stableCode = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;

/**
 * Gives an error of supabase-js the shape of all others: its `code` is the stable code of our database functions
 * (`slug_taken`) or of the constraint that was broken (`application_slug_taken`), else what PostgREST or the auth server calls it (`23505`, `PGRST116`, `invalid_credentials`).
 *
 * @param failed - A result of supabase-js with an `error`, or an error by itself (its HTTP status is then unknown: 0).
 *
 * @example
 * ```ts
 * const created = await nectar.supabase.rpc("create_organization", { p_name: "Acme", p_slug: "acme" });
 * if (created.error) {
 *   const error = toNectarError(created);
 *   if (error.code === "slug_taken") suggestAnother(error.message);
 *   else throw error;
 * }
 * ```
 */
export function toNectarError(failed: unknown): NectarError {
  const result = isRecord(failed) && isRecord(failed["error"]) ? failed : undefined;
  const error = result ? result["error"] : failed;
  if (error instanceof NectarError) return error;
  if (!isRecord(error) || typeof error["message"] !== "string") return fromThrown(error);

  const { message, code, hint, details } = error;
  const status = firstNumber(result?.["status"], error["status"]);
  if (typeof hint === "string" && stableCode.test(hint)) {
    // As functions answer it: which limit, by its key.
    const limit = hint === "limit_reached" && typeof details === "string" ? { limit: details } : {};
    return new NectarError(hint, message, { status, details: { sqlstate: code, ...limit }, cause: error });
  }
  const constraint = brokenConstraint(code, message);
  if (constraint) {
    // PostgreSQL's own words show the failing row: they stay in the cause.
    return new NectarError(constraint, constraintMessages[constraint], {
      status,
      details: { sqlstate: code },
      cause: error,
    });
  }
  if (typeof code === "string" && code !== "") {
    const facts = typeof details === "string" && details !== "" ? { details } : undefined;
    return new NectarError(code, message, { status, details: facts, cause: error });
  }
  // supabase-js reports what fetch threw as an error without a code.
  if (/\babort/i.test(`${error["name"] ?? ""} ${message}`)) return new NectarAbortError(error);
  if (!status) return new NectarNetworkError(error);
  return new NectarError("unexpected_answer", message, { status, cause: error });
}

function firstNumber(...values: unknown[]): number | undefined {
  return values.find((value) => typeof value === "number");
}
