import { type Issue, pointer } from "./issues.ts";

/** How deep a document may nest: enough for people, and nothing that recursion minds. */
export const MAX_DEPTH = 32;

/** How deep JSON text nests, counted before anything parses or walks it. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (quoted) {
      if (sign === "\\") at++;
      else if (sign === '"') quoted = false;
    } else if (sign === '"') quoted = true;
    else if (sign === "{" || sign === "[") deepest = Math.max(deepest, ++depth);
    else if (sign === "}" || sign === "]") depth--;
  }
  return deepest;
}

/** What JSON can say and no canonical form, database or object of JavaScript can keep. */
export function unkeepable(value: unknown, path: readonly PropertyKey[] = []): Issue[] {
  if (typeof value === "string") {
    return value.isWellFormed() && !value.includes("\0")
      ? []
      : [{ path: pointer(...path), message: "text with NUL or half a character" }];
  }
  if (typeof value === "number") {
    return Number.isFinite(value) ? [] : [{ path: pointer(...path), message: "a number too large to keep" }];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = [...path, name];
    if (name === "__proto__" || !name.isWellFormed() || name.includes("\0")) {
      return [{ path: pointer(...path), message: "a name that cannot be kept" }];
    }
    return unkeepable(inner, here);
  });
}
