import { isIndex, partsOf } from "../paths.ts";
import { type Document, field, isDocument, setField } from "../values.ts";
import { filterContext } from "./find.ts";
import { matcherOf } from "./match.ts";

/**
 * Which element of the array a filter matched: what `$` stands for.
 *
 * @param parts the path with the `$`: the array is what stands before it
 */
export function matchedPosition(filter: Document, document: Document, parts: string[]): number | undefined {
  const array = parts.slice(0, parts.indexOf("$"));
  let position: number | undefined;
  const look = (conditions: Document): void => {
    for (const name of Object.keys(conditions)) {
      const condition: unknown = conditions[name];
      if ((name === "$and" || name === "$or") && Array.isArray(condition)) {
        for (const each of condition) look(each as Document);
      } else if (!name.startsWith("$") && partsOf(name)[0] === array[0]) {
        position = firstMatching(document, name, condition) ?? position;
      }
    }
  };
  look(filter);
  return position;
}

/** The first array on the path, and the first of its elements with which alone the condition holds. */
function firstMatching(document: Document, path: string, condition: unknown): number | undefined {
  const parts = partsOf(path);
  let value: unknown = document;
  const above: string[] = [];
  for (const part of parts) {
    if (Array.isArray(value)) {
      if (!isIndex(part)) break;
      value = value[Number(part)];
    } else value = isDocument(value) ? field(value, part) : undefined;
    above.push(part);
    if (Array.isArray(value)) break;
  }
  if (!Array.isArray(value)) return undefined;
  const rest = parts.slice(above.length);
  if (rest[0] !== undefined && isIndex(rest[0])) return Number(rest[0]);
  const name = ["array", ...rest].join(".");
  const matches = matcherOf({ [name]: condition }, filterContext());
  const index = value.findIndex((element) => {
    const alone: Document = {};
    setField(alone, "array", [element]);
    return matches(alone);
  });
  return index < 0 ? undefined : index;
}
