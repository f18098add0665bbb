import { badValue, failure } from "./errors.ts";
import { compare } from "./keys.ts";
import { type Document, field, isDocument } from "./values.ts";

const parsed = new Map<string, string[]>();

/** The parts of a dotted path. */
export function partsOf(path: string): string[] {
  let parts = parsed.get(path);
  if (parts) return parts;
  if (path === "") throw failure(40352, "FieldPath cannot be constructed with empty string");
  if (path.includes("\0")) throw badValue("A field path must not contain null bytes");
  parts = path.split(".");
  if (parsed.size > 10_000) parsed.clear();
  parsed.set(path, parts);
  return parts;
}

export const isIndex = (part: string): boolean => /^(0|[1-9]\d*)$/.test(part);

/**
 * Hands over each value that a path leads to, as queries see it: through the documents of arrays, and by number into
 * arrays. A field that is not there is undefined. Stops, with true, when `visit` says so.
 */
export function visit(value: unknown, parts: string[], each: (value: unknown) => boolean, from = 0): boolean {
  if (from === parts.length) return each(value);
  const part = parts[from] as string;
  if (Array.isArray(value)) {
    if (isIndex(part) && Number(part) < value.length) {
      if (visit(value[Number(part)], parts, each, from + 1)) return true;
    }
    for (const element of value) {
      if (isDocument(element) && visit(element, parts, each, from)) return true;
    }
    return false;
  }
  return isDocument(value) ? visit(field(value, part), parts, each, from + 1) : each(undefined);
}

/** The values that an index holds, or a sort looks at: of an array its elements, of an empty one undefined. */
export function keyValues(document: Document, path: string): { values: unknown[]; multikey: boolean } {
  const values: unknown[] = [];
  let multikey = false;
  const parts = partsOf(path);
  const walk = (value: unknown, from: number): void => {
    if (from === parts.length) {
      if (!Array.isArray(value)) values.push(value === undefined ? null : value);
      else {
        multikey = true;
        if (value.length === 0) values.push(undefined);
        for (const element of value) values.push(element);
      }
      return;
    }
    const part = parts[from] as string;
    if (Array.isArray(value)) {
      multikey = true;
      if (isIndex(part) && Number(part) < value.length) walk(value[Number(part)], from + 1);
      else {
        let documents = 0;
        for (const element of value) {
          if (!isDocument(element)) continue;
          documents++;
          walk(field(element, part), from + 1);
        }
        if (documents < value.length || value.length === 0) values.push(null);
      }
    } else walk(isDocument(value) ? field(value, part) : undefined, from + 1);
  };
  walk(document, 0);
  return { values, multikey };
}

/** Does the document have a value at the path, as a sparse index asks? */
export const exists = (document: Document, path: string): boolean =>
  visit(document, partsOf(path), (value) => value !== undefined);

/** What a document is sorted by: the least of an array's elements, or the greatest when descending. */
export function sortValue(document: Document, path: string, direction: 1 | -1): unknown {
  const { values } = keyValues(document, path);
  let best = values[0];
  for (const value of values) if (compare(value, best) * direction < 0) best = value;
  return best;
}
