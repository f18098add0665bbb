/** An HTTP answer with a JSON body. */
export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(BODILESS.has(status) ? null : JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
  });
}

const BODILESS = new Set([204, 205, 304]);

export interface PostgrestError {
  code: string;
  message: string;
  details?: string | null;
  hint?: string | null;
}

/** An error in the form that PostgREST gives every error. */
export function postgrestError(
  status: number,
  { code, message, details = null, hint = null }: PostgrestError,
  headers: Record<string, string> = {},
): Response {
  return json(status, { code, details, hint, message }, headers);
}
