import type { CollectionDefinition } from "./definition.ts";

/** Every collection of this backend. */
export const collections: readonly CollectionDefinition[] = [];
