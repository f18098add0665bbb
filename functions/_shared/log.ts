/** Takes one line of the log: a flat object that is written as JSON. */
export type Log = (line: Record<string, unknown>) => void;

const secrets: [RegExp, string][] = [
  [/(\w+:\/\/)[^\s/@]+@/g, "$1…@"],
  [/\b(sb_secret_|[rs]k_live_|[rs]k_test_|whsec_|nk_live_|nk_test_)[\w-]+/g, "$1…"],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, "eyJ…"],
];

/** Takes credentials out of a text that others wrote: an error's message may quote a URL or a header. */
export function redact(text: string): string {
  return secrets.reduce((clean, [secret, sign]) => clean.replace(secret, sign), text);
}

/** Writes a line to the console, where the platform collects it. */
export const logToConsole: Log = (line) => console.log(JSON.stringify(line));

/** What the log keeps of an unexpected error, its causes included. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: redact(String(error)) };
  return {
    name: error.name,
    message: redact(error.message),
    stack: redact(error.stack ?? ""),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
