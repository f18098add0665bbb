import type { IndexSpecification } from "mongodb";
import { z } from "zod";

/** What every document has. */
export const stored = z.strictObject({
  _id: z.string().min(1).max(200),
  organization_id: z.string().min(36).max(36),
});

export type Stored = z.infer<typeof stored>;

export interface IndexDefinition {
  /** Stands in errors of broken uniqueness. */
  name: string;
  key: Record<string, 1 | -1>;
  unique?: true;
  /** Deletes a document so long after the date in the index's one field. */
  expireAfterSeconds?: number;
  /** Only documents that have these fields are in the index. */
  where?: Record<string, { $exists: true }>;
}

/** One collection: its documents, their validator and its indexes. */
export interface CollectionDefinition<T extends Stored = Stored> {
  name: string;
  /** Raised with every change of schema or indexes, so that they are applied. */
  version: number;
  schema: z.ZodType<T>;
  indexes: readonly IndexDefinition[];
  /** The GridFS bucket of what its documents describe: found by their organization too. */
  bucket?: string;
  /** Its documents are made and deleted, never changed: no program can. */
  writtenOnce?: true;
}

/**
 * Declares a collection. Its schema is its documents' type in TypeScript and its validator in MongoDB.
 *
 * @throws {TypeError} when an index does not begin with the organization. One that deletes by time is the exception:
 * MongoDB takes only one field there, and no query uses it.
 */
export function defineCollection<T extends Stored>(
  definition: CollectionDefinition<T>,
): CollectionDefinition<T> {
  for (const { name, key, expireAfterSeconds } of definition.indexes) {
    if (expireAfterSeconds === undefined && Object.keys(key)[0] !== "organization_id") {
      throw new TypeError(`The index ${definition.name}.${name} does not begin with organization_id.`);
    }
  }
  return definition;
}

/** The index as the driver takes it. */
export function indexSpecification({ name, key, where, ...options }: IndexDefinition) {
  return {
    name,
    key: key as IndexSpecification as Map<string, 1>,
    ...options,
    ...(where && { partialFilterExpression: where }),
  };
}
