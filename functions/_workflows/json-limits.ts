import { collector, type Issue } from "./issues.ts";

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
export function unkeepable(value: unknown): Issue[] {
  const { issues, add } = collector();
  const keepable = (text: string) => text.isWellFormed() && !text.includes("\0");
  function look(value: unknown, path: readonly PropertyKey[]) {
    if (typeof value === "string") {
      if (!keepable(value)) add("text with NUL or half a character", ...path);
    } else if (typeof value === "number") {
      if (!Number.isFinite(value)) add("a number too large to keep", ...path);
    } else if (typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value)) {
        if (name === "__proto__" || !keepable(name)) add("a name that cannot be kept", ...path);
        else look(inner, [...path, name]);
      }
    }
  }
  look(value, []);
  return issues;
}
