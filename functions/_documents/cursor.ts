import { AppError } from "../_shared/errors.ts";

/** Where a page ended, in a form that callers only hand back. */
export function toCursor(position: Record<string, string | number>): string {
  return btoa(JSON.stringify(position)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The position that a cursor names.
 *
 * @throws {AppError} `validation_failed` when it is not one that `toCursor` makes.
 */
export function fromCursor<T>(
  cursor: string,
  schema: { safeParse(value: unknown): { success: boolean; data?: T } },
): T {
  const parsed = schema.safeParse(decode(cursor));
  if (parsed.success) return parsed.data as T;
  throw new AppError("validation_failed", {
    details: {
      issues: [{ in: "query", path: ["cursor"], message: "not a cursor of this list: begin without one" }],
    },
  });
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return undefined;
  }
}
