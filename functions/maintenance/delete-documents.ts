import type { Collection, Db, Document, Filter } from "mongodb";

const BATCH = 500;

/**
 * Deletes an organization's documents from every collection, GridFS files with their chunks included, batch by batch.
 * What was deleted stays deleted: called again, it goes on.
 *
 * @returns Whether none is left; false when the time was up first.
 */
export async function deleteDocuments(
  database: Db,
  organizationId: string,
  timeIsUp: () => boolean,
): Promise<boolean> {
  const listed = await database.listCollections({}, { nameOnly: true }).toArray();
  const all = listed.filter(({ name, type }) => type !== "view" && !name.startsWith("system."))
    .map(({ name }) => name).sort();
  // Of chunks no index says whose they are: their files lead to them.
  const names = all.filter((name) =>
    !/\.chunks$/.test(name) || !all.includes(name.replace(/chunks$/, "files"))
  );
  for (const name of names) {
    const bucket = name.match(/^(.+)\.files$/)?.[1];
    // A file's own fields are GridFS's: whose it is stands in its metadata.
    const filter: Filter<Document> = {
      [bucket ? "metadata.organization_id" : "organization_id"]: organizationId,
    };
    const chunks = bucket ? database.collection(`${bucket}.chunks`) : undefined;
    if (!await deleteInBatches(database.collection(name), filter, chunks, timeIsUp)) return false;
  }
  return true;
}

async function deleteInBatches(
  collection: Collection,
  filter: Filter<Document>,
  chunks: Collection | undefined,
  timeIsUp: () => boolean,
): Promise<boolean> {
  while (!timeIsUp()) {
    const found = await collection.find(filter, { projection: { _id: 1 } }).limit(BATCH).toArray();
    if (found.length === 0) return true;
    const ids = found.map(({ _id }) => _id);
    // Chunks first: without their file nothing would lead to them.
    await chunks?.deleteMany({ files_id: { $in: ids } });
    await collection.deleteMany({ _id: { $in: ids } });
  }
  return false;
}
