import { refused } from "./refused.ts";

/** Deeper is no document of ours: what people nest freely is stored as JSON text. */
const DEEPEST = 12;

/**
 * Lets a value into a document: scalars, bytes, lists and plain objects under harmless names. Keys that MongoDB or
 * JavaScript could take for more than a name are refused; JSON of people's own making is stored as text instead.
 *
 * @throws {AppError} `validation_failed`
 */
export function requireStorable(value: unknown, field: string, depth = 0): void {
  if (depth > DEEPEST) throw refused(field, "nested too deeply");
  if (Array.isArray(value)) {
    for (const element of value) requireStorable(element, field, depth + 1);
    return;
  }
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      break;
    case "object":
      if (value === null || value instanceof Date || value instanceof Uint8Array) return;
      if (!isPlain(value)) break;
      for (const [key, inner] of Object.entries(value)) {
        if (key === "" || key === "__proto__" || /^\$|[.\0]/.test(key)) {
          throw refused(field, "a key that is not a name");
        }
        requireStorable(inner, `${field}.${key}`, depth + 1);
      }
      return;
  }
  throw refused(field, "not a value that can be stored");
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
