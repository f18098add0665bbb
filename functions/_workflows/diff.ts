import { z } from "@hono/zod-openapi";
import { pointer } from "./issues.ts";

/** One difference: where, and the value before and after. */
export const difference = z.strictObject({
  kind: z.enum(["added", "removed", "changed"]),
  path: z.string().openapi({
    description: "A JSON pointer. Steps and parameters are named by their id: /steps/fetch/statement.",
  }),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
}).openapi("WorkflowDifference");

export type Difference = z.infer<typeof difference>;

/** Most differences that are told. */
export const MOST_DIFFERENCES = 1000;

/**
 * What changed between two documents, in the order of their parts. Lists of things with an id or a name are compared by it,
 * so that a step that moved has not changed; other lists by position.
 */
export function diff(before: unknown, after: unknown): Difference[] {
  const found: Difference[] = [];
  compare(before, after, [], found);
  return found.slice(0, MOST_DIFFERENCES);
}

function compare(before: unknown, after: unknown, path: PropertyKey[], found: Difference[]): void {
  if (found.length >= MOST_DIFFERENCES) return;
  const [left, right] = [partsOf(before), partsOf(after)];
  if (!left || !right || Array.isArray(before) !== Array.isArray(after)) {
    if (!Object.is(before, after)) found.push({ kind: "changed", path: pointer(...path), before, after });
    return;
  }
  const names = [...left.keys(), ...Array.from(right.keys()).filter((name) => !left.has(name))];
  for (const name of names) {
    const here = [...path, name];
    if (!right.has(name)) found.push({ kind: "removed", path: pointer(...here), before: left.get(name) });
    else if (!left.has(name)) found.push({ kind: "added", path: pointer(...here), after: right.get(name) });
    else compare(left.get(name), right.get(name), here, found);
  }
}

/** The named parts of an object or a list; undefined for what has none. */
function partsOf(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) {
    const names = value.map(nameOf);
    const named = names.every((name) => name !== undefined) && new Set(names).size === names.length;
    return new Map(value.map((part, at) => [named ? String(names[at]) : String(at), part]));
  }
  return typeof value === "object" && value !== null ? new Map(Object.entries(value)) : undefined;
}

function nameOf(part: unknown): string | undefined {
  if (typeof part !== "object" || part === null) return undefined;
  const { id, name, from, on } = part as Record<string, unknown>;
  if (typeof from === "string") return typeof on === "string" ? `${from}:${on}` : from;
  return [id, name].find((given) => typeof given === "string") as string | undefined;
}
