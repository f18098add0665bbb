import type { ClientSession, Collection, Db, Document, Filter, UpdateFilter } from "mongodb";
import { AppError } from "../_shared/errors.ts";
import type { Log } from "../_shared/log.ts";
import type { CollectionDefinition, Stored } from "./definition.ts";
import { refused } from "./refused.ts";
import { requireStorable } from "./storable.ts";
import { fieldName, toFilter, type Where } from "./where.ts";

/** One organization's part of the document store. */
export interface TenantScope {
  database: Db;
  organizationId: string;
  log: Log;
  /** The transaction that everything here belongs to. */
  session?: ClientSession | undefined;
}

/** A document as a program gives it: whose it is says the collection. */
export type Without<T extends Stored> = Omit<T, "organization_id">;

/** What a change does to the documents it finds. */
export interface Change<T extends Stored> {
  set?: Partial<Without<T>>;
  unset?: readonly (keyof Without<T> & string)[];
  increment?: { readonly [Name in keyof Without<T> & string]?: number };
  /** Raised to a date or number that is later. */
  raise?: Partial<Without<T>>;
  /** What a document gets when the change makes it. */
  setOnInsert?: Partial<Without<T>>;
}

type Sort<T extends Stored> = { readonly [Name in keyof Without<T> & string]?: 1 | -1 };

export interface ReadOptions<T extends Stored, Name extends keyof T = keyof T> {
  /** Only these fields. Default all. */
  fields?: readonly Name[];
  sort?: Sort<T>;
}

/** How many documents fall into one group, and the sum of each field asked for. */
export interface Total {
  key: unknown;
  count: number;
  sums: Record<string, number>;
}

/**
 * One collection as one organization sees it: the organization is in every filter, in every document written, and is
 * looked at again in every document read.
 */
export interface TenantCollection<T extends Stored> {
  findOne<Name extends keyof T = keyof T>(
    where: Where<T>,
    options?: ReadOptions<T, Name>,
  ): Promise<Pick<T, Name> | undefined>;
  find<Name extends keyof T = keyof T>(
    where: Where<T>,
    options: ReadOptions<T, Name> & { limit: number },
  ): Promise<Pick<T, Name>[]>;
  /** At most `most` are counted. */
  count(where: Where<T>, most?: number): Promise<number>;
  /** Count and sums, by the values of a field or over all. */
  totals(
    where: Where<T>,
    options?: {
      by?: keyof Without<T> & string;
      sum?: readonly (keyof Without<T> & string)[];
      limit?: number;
    },
  ): Promise<Total[]>;
  /** @throws a duplicate key: see `isDuplicate`. */
  insert(document: Without<T>): Promise<T>;
  /** All that can be written are; the number of them is the answer. A duplicate is passed over. */
  insertMany(documents: readonly Without<T>[]): Promise<number>;
  /** Changes one document, and gives it as it then is (or, `returning: "before"`, was). */
  change(
    where: Where<T>,
    change: Change<T>,
    options?: { upsert?: boolean; sort?: Sort<T>; returning?: "before" | "after" },
  ): Promise<T | undefined>;
  /** Changes all that match, and says how many. */
  changeAll(where: Where<T>, change: Change<T>): Promise<number>;
  /** Deletes one document, and gives it as it was. */
  remove(where: Where<T>): Promise<T | undefined>;
  /** Deletes all that match, and says how many. */
  removeAll(where: Where<T>): Promise<number>;
}

/** Most documents of one answer. */
const MOST = 1000;

/** MongoDB's code. */
const VALIDATION_FAILED = 121;

function atMost(wanted: number, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isFinite(wanted)) throw refused("limit", "expected a number");
  return Math.min(Math.max(1, Math.floor(wanted)), most);
}

export function tenantCollection<T extends Stored>(
  { database, organizationId, log, session }: TenantScope,
  { name, writtenOnce }: CollectionDefinition<T>,
): TenantCollection<T> {
  const collection: Collection<Document> = database.collection(name);
  const options = session ? { session } : {};

  const filterOf = (where: Where<T>): Filter<Document> => {
    const [first = {}, ...others] = toFilter(where);
    const own = { organization_id: { $eq: organizationId } };
    return others.length === 0 && !("$or" in first)
      ? { ...own, ...first }
      : { ...own, $and: [first, ...others] };
  };

  const fieldsOf = (fields: readonly PropertyKey[] | undefined) =>
    fields && {
      projection: Object.fromEntries([
        ["organization_id", 1],
        ...fields.filter((field) => field !== "organization_id").map((
          field,
        ) => [fieldName(String(field)), 1]),
      ]),
    };

  const sortOf = (sort: object | undefined) =>
    sort && { sort: Object.fromEntries(Object.entries(sort).map(([field, way]) => [fieldName(field), way])) };

  function own<D extends Document>(document: D): D {
    if (document["organization_id"] === organizationId) return document;
    log({ level: "error", event: "foreign_document", collection: name, organization: organizationId });
    throw new AppError("internal", { cause: new Error(`A foreign document came out of ${name}.`) });
  }
  const ownOrNone = (document: Document | null) =>
    document === null ? undefined : own(document) as unknown as T;

  /** What the validator refuses, somebody forgot to check before. */
  async function write<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: unknown }).code !== VALIDATION_FAILED) throw error;
      log({ level: "error", event: "document_refused", collection: name, organization: organizationId });
      throw refused(name, "not a document of this collection");
    }
  }

  function toStore(document: Without<T>): Document {
    requireStorable(document, name);
    if (typeof document._id !== "string") throw refused(name, "an id is text");
    // Last, so that nothing in the document stands for it.
    return { ...document, organization_id: organizationId };
  }

  function updateOf(change: Change<T>): UpdateFilter<Document> {
    if (writtenOnce) throw new TypeError(`What is in ${name} is written once, and never changed.`);
    return toUpdate(change, name);
  }

  return {
    async findOne(where, read) {
      const found = await collection.findOne(filterOf(where), {
        ...options,
        ...fieldsOf(read?.fields),
        ...sortOf(read?.sort),
      });
      return ownOrNone(found);
    },

    async find(where, { fields, sort, limit }) {
      const found = await collection.find(filterOf(where), {
        ...options,
        ...fieldsOf(fields),
        ...sortOf(sort),
        limit: atMost(limit, MOST),
      }).toArray();
      return found.map(own) as unknown as T[];
    },

    count: (where, most) =>
      collection.countDocuments(filterOf(where), {
        ...options,
        ...(most !== undefined && { limit: atMost(most) }),
      }),

    async totals(where, { by, sum = [], limit = MOST } = {}) {
      const groups = await collection.aggregate([
        { $match: filterOf(where) },
        {
          $group: {
            _id: by ? `$${fieldName(by)}` : null,
            count: { $sum: 1 },
            least: { $min: "$organization_id" },
            most: { $max: "$organization_id" },
            ...Object.fromEntries(sum.map((field, at) => [`sum_${at}`, { $sum: `$${fieldName(field)}` }])),
          },
        },
        { $sort: { count: -1, _id: 1 } },
        { $limit: atMost(limit, MOST) },
      ], options).toArray();
      return groups.map((group) => {
        own({ organization_id: group["least"] });
        own({ organization_id: group["most"] });
        const sums = Object.fromEntries(sum.map((field, at) => [field, Number(group[`sum_${at}`])]));
        return { key: group["_id"], count: Number(group["count"]), sums };
      });
    },

    async insert(document) {
      const written = toStore(document);
      await write(() => collection.insertOne(written as never, options));
      return written as T;
    },

    async insertMany(documents) {
      if (documents.length === 0) return 0;
      try {
        const written = documents.map(toStore);
        const { insertedCount } = await write(() =>
          collection.insertMany(written, { ...options, ordered: false })
        );
        return insertedCount;
      } catch (error) {
        // A transaction is over with its first duplicate.
        if (session || !isDuplicate(error)) throw error;
        return Number((error as { insertedCount?: number }).insertedCount ?? 0);
      }
    },

    async change(where, change, { upsert = false, sort, returning = "after" } = {}) {
      const [filter, update] = [filterOf(where), updateOf(change)];
      const asked = { ...options, ...sortOf(sort), upsert, returnDocument: returning };
      const changed = await write(() => collection.findOneAndUpdate(filter, update, asked));
      return ownOrNone(changed);
    },

    async changeAll(where, change) {
      const [filter, update] = [filterOf(where), updateOf(change)];
      const { modifiedCount } = await write(() => collection.updateMany(filter, update, options));
      return modifiedCount;
    },

    remove: async (where) => ownOrNone(await collection.findOneAndDelete(filterOf(where), options)),

    removeAll: async (where) => (await collection.deleteMany(filterOf(where), options)).deletedCount,
  };
}

function toUpdate<T extends Stored>(change: Change<T>, collection: string): UpdateFilter<Document> {
  const values = (fields: object | undefined) => {
    if (!fields || Object.keys(fields).length === 0) return undefined;
    for (const [field, value] of Object.entries(fields)) {
      requireStorable(value, `${collection}.${fieldName(field)}`);
    }
    return fields;
  };
  const update = {
    $set: values(change.set),
    $inc: values(change.increment),
    $max: values(change.raise),
    $setOnInsert: values(change.setOnInsert),
    $unset: change.unset?.length
      ? Object.fromEntries(change.unset.map((field) => [fieldName(field), ""]))
      : undefined,
  };
  return Object.fromEntries(Object.entries(update).filter(([, fields]) => fields !== undefined));
}

/** Whether a write broke uniqueness, and of which index if one is named. */
export function isDuplicate(error: unknown, index?: string): boolean {
  if (!(error instanceof Error) || (error as { code?: unknown }).code !== 11000) return false;
  return index === undefined || error.message.includes(` index: ${index} `);
}

/** Two who make the same document at once: one of them finds it the second time. */
export async function onceMore<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isDuplicate(error)) return await work();
    throw error;
  }
}
