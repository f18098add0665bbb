import process from "node:process";

/**
 * Drivers throw at what hostile servers say where nobody can catch it. It must not end the process, and with it everybody
 * else's requests: the test that it belongs to ends when its time is up.
 *
 * @param tell - Given the error, of which only the name is fit for a log.
 */
export function outliveStrayErrors(tell: (error: unknown) => void): void {
  process.on("uncaughtException", tell);
  process.on("unhandledRejection", tell);
}

let kept = false;

/** Drivers also print a line for each packet that they do not understand. The console is the log's: lines of JSON. */
export function keepConsoleForLog(): void {
  if (kept) return;
  kept = true;
  const { log } = console;
  for (const method of ["debug", "info", "warn", "error", "trace"] as const) console[method] = () => {};
  console.log = (...said) => {
    if (said.length === 1 && String(said[0]).startsWith("{")) log(said[0]);
  };
}
