import { AppError } from "../_shared/errors.ts";

/** Why an event was not applied, for the ledger: codes alone, since messages may quote what they were given. */
export function reasonOf(error: unknown): string {
  if (error instanceof AppError) return error.code;
  if (!(error instanceof Error)) return "unknown";
  const { code, hint, statusCode } = error as Error & Record<"code" | "hint" | "statusCode", unknown>;
  return [error.name === "Error" ? error.constructor.name : error.name, statusCode, code, hint]
    .filter((part) => part && /^[\w.]+$/.test(String(part)))
    .join(" ");
}

/** It took longer than whoever waits for it will. */
export class TimeIsUp extends Error {
  override readonly name = "TimeIsUp";
}

/** @throws {TimeIsUp} when the time is up first; the work may still end by itself. */
export async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeIsUp()), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
