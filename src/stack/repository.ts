import path from "node:path";

/** An absolute path below the repository's root. */
export const repository = (...segments: string[]): string =>
  path.resolve(import.meta.dirname, "../..", ...segments);
