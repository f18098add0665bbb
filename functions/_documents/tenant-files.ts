import type { GridFSBucket } from "mongodb";
import { AppError } from "../_shared/errors.ts";
import { refused } from "./refused.ts";
import type { TenantScope } from "./tenant-collection.ts";

/** One organization's files in a bucket: it stands in each file's metadata, and is looked at again before one is read. */
export interface TenantFiles {
  /** Writes a file, chunk by chunk as they come. What was written of one that fails is deleted again. */
  write(id: string, chunks: AsyncIterable<Uint8Array>): Promise<void>;
  /** The file's bytes, read as they are taken; undefined when there is no such file. */
  read(id: string): Promise<ReadableStream<Uint8Array> | undefined>;
  /** Deletes a file and its chunks, also those of one that was never finished. */
  remove(id: string): Promise<void>;
}

/** As GridFS's own default: what is held in memory of each transfer. */
const CHUNK_BYTES = 255 * 1024;

export function tenantFiles({ database, organizationId, log }: TenantScope, bucketName: string): TenantFiles {
  const files = database.collection<{ _id: string; metadata?: { organization_id?: string } }>(
    `${bucketName}.files`,
  );
  const chunks = database.collection(`${bucketName}.chunks`);

  async function open(): Promise<GridFSBucket> {
    const { GridFSBucket } = await import("mongodb");
    return new GridFSBucket(database, {
      bucketName,
      chunkSizeBytes: CHUNK_BYTES,
      writeConcern: { w: "majority" },
    });
  }

  const idOf = (id: string) => {
    if (typeof id !== "string") throw refused("id", "expected text");
    return id as never;
  };

  /** True when it is there and its own. @throws when it is another's, which ids that are never given twice exclude. */
  async function isOwn(id: string): Promise<boolean> {
    const file = await files.findOne({ _id: idOf(id) }, { projection: { metadata: 1 } });
    if (!file || file.metadata?.organization_id === organizationId) return file !== null;
    log({ level: "error", event: "foreign_document", collection: bucketName, organization: organizationId });
    throw new AppError("internal", { cause: new Error(`A foreign file came out of ${bucketName}.`) });
  }

  return {
    async write(id, given) {
      const bucket = await open();
      const upload = bucket.openUploadStreamWithId(idOf(id), String(id), {
        metadata: { organization_id: organizationId },
      });
      // Told by the write that fails; without a listener it would end the process.
      const failed = Promise.withResolvers<never>();
      failed.promise.catch(() => {});
      upload.on("error", failed.reject);
      try {
        for await (const chunk of given) {
          const taken = Promise.withResolvers<void>();
          if (upload.write(chunk)) taken.resolve();
          else upload.once("drain", taken.resolve);
          await Promise.race([taken.promise, failed.promise]);
        }
        const finished = Promise.withResolvers<void>();
        upload.once("finish", finished.resolve);
        upload.end();
        await Promise.race([finished.promise, failed.promise]);
      } catch (error) {
        await upload.abort().catch(() => {});
        throw error;
      }
    },

    async read(id) {
      if (!await isOwn(id)) return undefined;
      const download = (await open()).openDownloadStream(idOf(id));
      const iterator = download[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { done, value } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(new Uint8Array(value));
        },
        async cancel() {
          await iterator.return?.();
          download.destroy();
        },
      }, { highWaterMark: 0 });
    },

    async remove(id) {
      await isOwn(id);
      // Chunks first: without their file nothing would lead to them.
      await chunks.deleteMany({ files_id: idOf(id) });
      await files.deleteOne({ _id: idOf(id) });
    },
  };
}
