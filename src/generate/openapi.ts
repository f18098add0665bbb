import { isDeepStrictEqual } from "node:util";

/** The parts of an OpenAPI 3.1 document that functions fill. */
export interface ApiDocument {
  openapi: string;
  info: { title: string; version: string; description?: string };
  servers?: { url: string }[];
  paths?: Record<string, unknown>;
  components?: Record<string, Record<string, unknown>>;
}

/**
 * Makes one document of several. Paths and components are sorted, so that the result does not depend on the order.
 *
 * @throws {Error} when two documents give one path or component different meanings.
 */
export function mergeDocuments(base: ApiDocument, documents: readonly ApiDocument[]): ApiDocument {
  const kinds = new Set([base, ...documents].flatMap(({ components }) => Object.keys(components ?? {})));
  return {
    ...base,
    paths: union(
      "Path",
      documents.map(({ paths }) => paths ?? {}),
    ),
    components: Object.fromEntries(
      [...kinds].sort().map((kind) => [
        kind,
        union(
          `components.${kind}`,
          [base, ...documents].map(({ components }) => components?.[kind] ?? {}),
        ),
      ]),
    ),
  };
}

function union(what: string, parts: readonly Record<string, unknown>[]): Record<string, unknown> {
  const merged = new Map<string, unknown>();
  for (const [name, value] of parts.flatMap((part) => Object.entries(part))) {
    if (merged.has(name) && !isDeepStrictEqual(merged.get(name), value)) {
      throw new Error(`${what} ${name} has two meanings. Rename one of them.`);
    }
    merged.set(name, value);
  }
  return Object.fromEntries([...merged].sort(([a], [b]) => (a < b ? -1 : 1)));
}
