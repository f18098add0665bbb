import type { Collection, Db } from "mongodb";
import type { CollectionDefinition, IndexDefinition } from "./definition.ts";
import { indexSpecification } from "./definition.ts";
import { toMongoSchema } from "./mongo-schema.ts";

/** What is applied of each collection; `_id` is the collection's name. */
interface Applied {
  _id: string;
  version: number;
  /** Until when somebody is applying a version; another may then take over. */
  claimed_until?: Date;
}

export interface EnsureOptions {
  definitions: readonly CollectionDefinition[];
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** Milliseconds between two looks at what another process is applying. */
  pauseMs?: number;
}

const VERSIONS = "nectar_collections";
const CLAIM_MS = 60_000;
const EXISTS = 48;
/** An index of this name, or on these fields, is there and otherwise. */
const CONFLICTS = [85, 86];
const DUPLICATE = 11000;

/**
 * Brings validators and indexes up to the definitions' versions, and says how many collections it changed. What is up to
 * date costs one read. Several processes may do it at once: one applies a version, the others wait for it; a process of an
 * earlier deployment never undoes a later version.
 */
export async function ensureCollections(
  database: Db,
  { definitions, clock = Date.now, pauseMs = 100 }: EnsureOptions,
): Promise<number> {
  const versions: Collection<Applied> = database.collection(VERSIONS);
  const applied = new Map((await versions.find().toArray()).map((doc) => [doc._id, doc.version]));
  let changed = 0;
  for (const definition of definitions) {
    if ((applied.get(definition.name) ?? 0) >= definition.version) continue;
    if (await ensureOne(database, versions, definition, clock, pauseMs)) changed++;
  }
  return changed;
}

async function ensureOne(
  database: Db,
  versions: Collection<Applied>,
  definition: CollectionDefinition,
  clock: () => number,
  pauseMs: number,
): Promise<boolean> {
  const { name, version } = definition;
  const deadline = clock() + 2 * CLAIM_MS;
  while (!await claim(versions, definition, clock())) {
    const current = await versions.findOne({ _id: name });
    if (current && current.version >= version) return false;
    if (clock() > deadline) throw new Error(`Nobody finishes applying version ${version} of ${name}.`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  try {
    await apply(database, definition);
  } catch (error) {
    // The next tries at once; if this fails too, when the claim is over.
    await versions.updateOne({ _id: name }, { $unset: { claimed_until: "" } }).catch(() => {});
    throw error;
  }
  await versions.updateOne({ _id: name }, { $set: { version }, $unset: { claimed_until: "" } });
  return true;
}

/** True when it is now this process that applies the version. */
async function claim(versions: Collection<Applied>, { name, version }: CollectionDefinition, now: number) {
  const mine = { claimed_until: new Date(now + CLAIM_MS) };
  const taken = await versions.updateOne(
    {
      _id: name,
      version: { $lt: version },
      $or: [{ claimed_until: { $exists: false } }, { claimed_until: { $lt: new Date(now) } }],
    },
    { $set: mine },
  );
  if (taken.matchedCount === 1) return true;
  try {
    await versions.insertOne({ _id: name, version: 0, ...mine });
    return true;
  } catch (error) {
    if ((error as { code?: number }).code === DUPLICATE) return false;
    throw error;
  }
}

async function apply(database: Db, definition: CollectionDefinition): Promise<void> {
  const { name, schema, indexes, bucket } = definition;
  const validation = {
    validator: { $jsonSchema: toMongoSchema(schema) },
    validationLevel: "strict",
    validationAction: "error",
  };
  try {
    await database.createCollection(name, validation);
  } catch (error) {
    if ((error as { code?: number }).code !== EXISTS) throw error;
    await database.command({ collMod: name, ...validation });
  }
  for (const index of indexes) await applyIndex(database.collection(name), index);
  if (bucket) {
    const index: IndexDefinition = { name: "file_organization", key: { "metadata.organization_id": 1 } };
    await applyIndex(database.collection(`${bucket}.files`), index);
  }
}

/** MongoDB changes no index: one of an earlier version is made anew. */
async function applyIndex(collection: Collection, index: IndexDefinition): Promise<void> {
  const create = () => collection.createIndexes([indexSpecification(index)]);
  try {
    await create();
  } catch (error) {
    if (!CONFLICTS.includes(Number((error as { code?: number }).code))) throw error;
    const isEarlier = (given: { name?: string; key: object }) =>
      given.name === index.name || JSON.stringify(given.key) === JSON.stringify(index.key);
    for (const { name } of (await collection.indexes()).filter(isEarlier)) {
      if (name !== undefined) await collection.dropIndex(name);
    }
    await create();
  }
}
