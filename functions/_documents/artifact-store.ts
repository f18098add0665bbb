import { createHash } from "node:crypto";
import { AppError } from "../_shared/errors.ts";
import { type Artifact, ARTIFACT_FILES, artifacts, artifactUsage } from "./artifacts.ts";
import type { Documents, Tenant } from "./documents.ts";
import { newId } from "./id.ts";
import { atMost, below, noneOf } from "./where.ts";

export interface ArtifactInput {
  name: string;
  kind: Artifact["kind"];
  content_type: string;
  by?: string | undefined;
  /** What the sender says the size is: reserved before the first byte is taken. */
  size?: number | undefined;
}

export interface UploadLimits {
  /** Most bytes of the organization's artifacts; null is no limit. */
  limit: number | null;
  /** Most bytes of this one. */
  most: number;
}

export interface ArtifactQuery {
  limit: number;
  /** The last id of the page before. */
  after?: string | undefined;
  kind?: Artifact["kind"] | undefined;
}

export type ArtifactStore = ReturnType<typeof createArtifactStore>;

/** An upload of unknown size reserves so much at a time. */
const STEP = 4 * 1024 * 1024;
/** An upload that says nothing for so long is dead. */
const ALIVE_MS = 600_000;
const RENEWED_MS = 60_000;

const heads = (tenant: Tenant) => tenant.collection(artifacts);
const usage = (tenant: Tenant) => tenant.collection(artifactUsage);
const files = (tenant: Tenant) => tenant.files(ARTIFACT_FILES);

/** Generated files. What they take of the plan is reserved first, and settled after. */
export function createArtifactStore(
  documents: Documents,
  { clock = Date.now }: { clock?: (() => number) | undefined } = {},
) {
  const { run, transaction } = documents;
  const now = () => new Date(clock());
  const aliveUntil = () => new Date(clock() + ALIVE_MS);

  /**
   * Stores what `content` gives, as it comes.
   *
   * @throws {AppError} `limit_reached`, `payload_too_large`; then, as when `content` fails, nothing is left.
   */
  async function upload(
    organizationId: string,
    { name, kind, content_type, by, size = 0 }: ArtifactInput,
    content: AsyncIterable<Uint8Array>,
    { limit, most }: UploadLimits,
  ): Promise<Artifact> {
    if (size > most) throw tooLarge(most);
    const id = newId(clock());
    await run(
      organizationId,
      (tenant) => usage(tenant).insertMany([{ _id: tenant.organizationId, bytes: 0 }]),
    );
    await transaction(organizationId, async (tenant) => {
      await take(tenant, size, limit);
      await heads(tenant).insert({
        _id: id,
        name,
        kind,
        content_type,
        state: "uploading",
        bytes: size,
        ...(by && { created_by: by }),
        created_at: now(),
        alive_until: aliveUntil(),
      });
    });
    const hash = createHash("sha256");
    let reserved = size;
    let written = 0;
    let renewed = clock();

    async function* counted() {
      for await (const chunk of content) {
        written += chunk.length;
        if (written > most) throw tooLarge(most);
        if (written > reserved) reserved = await reserveMore(organizationId, id, reserved, written, limit);
        else if (clock() - renewed > RENEWED_MS) {
          renewed = clock();
          await run(
            organizationId,
            (tenant) =>
              requireUploading(
                heads(tenant).change({ _id: id, state: "uploading" }, { set: { alive_until: aliveUntil() } }),
              ),
          );
        }
        hash.update(chunk);
        yield chunk;
      }
    }

    try {
      await run(organizationId, (tenant) => files(tenant).write(id, counted()));
      return await transaction(organizationId, async (tenant) => {
        const done = await requireUploading(
          heads(tenant).change({ _id: id, state: "uploading" }, {
            set: { state: "ready", bytes: written, sha256: hash.copy().digest("hex") },
          }),
        );
        await usage(tenant).change({ _id: tenant.organizationId }, {
          increment: { bytes: written - reserved },
        });
        return done;
      });
    } catch (error) {
      // When the store is away now, the tidying job does it later.
      await erase(organizationId, id).catch(() => {});
      throw error;
    }
  }

  async function reserveMore(
    organizationId: string,
    id: string,
    reserved: number,
    needed: number,
    limit: number | null,
  ) {
    const extend = (to: number) =>
      transaction(organizationId, async (tenant) => {
        await take(tenant, to - reserved, limit);
        await requireUploading(
          heads(tenant).change({ _id: id, state: "uploading" }, {
            set: { bytes: to, alive_until: aliveUntil() },
          }),
        );
        return to;
      });
    try {
      return await extend(Math.max(needed, reserved + STEP));
    } catch (error) {
      // Near the limit, only what is there already.
      if (error instanceof AppError && error.code === "limit_reached") return await extend(needed);
      throw error;
    }
  }

  const list = (organizationId: string, { limit, after, kind }: ArtifactQuery): Promise<Artifact[]> =>
    run(organizationId, (tenant) =>
      heads(tenant).find({
        state: "ready",
        ...(after !== undefined && { _id: below(after) }),
        ...(kind !== undefined && { kind }),
      }, { sort: { _id: -1 }, limit }));

  const get = (organizationId: string, id: string): Promise<Artifact> =>
    run(organizationId, (tenant) => requireReady(tenant, id));

  /** Its bytes, read as they are taken. */
  const download = (
    organizationId: string,
    id: string,
  ): Promise<{ artifact: Artifact; content: ReadableStream<Uint8Array> }> =>
    run(organizationId, async (tenant) => {
      const artifact = await requireReady(tenant, id);
      const content = await files(tenant).read(id);
      if (!content) throw new AppError("artifact_not_found");
      return { artifact, content };
    });

  /** Deletes it: first nobody finds it, then its chunks go, and last what it took of the plan. */
  const remove = async (organizationId: string, id: string): Promise<void> => {
    const found = await run(
      organizationId,
      (tenant) =>
        heads(tenant).change({ _id: id, state: "ready" }, {
          set: { state: "deleting", alive_until: aliveUntil() },
        }),
    );
    if (!found) throw new AppError("artifact_not_found");
    await erase(organizationId, id);
  };

  /** Finishes what was begun and left: uploads and deletions. Says how many. */
  const tidy = (organizationId: string, limit = 100): Promise<number> =>
    run(organizationId, async (tenant) => {
      const left = await heads(tenant).find(
        { state: noneOf(["ready"]), alive_until: below(now()) },
        { fields: ["_id"], limit },
      );
      for (const { _id } of left) await erase(organizationId, _id);
      return left.length;
    });

  /** Bytes that are taken, what is being uploaded included. */
  const used = (organizationId: string): Promise<number> =>
    run(
      organizationId,
      async (tenant) => (await usage(tenant).findOne({ _id: tenant.organizationId }))?.bytes ?? 0,
    );

  async function erase(organizationId: string, id: string): Promise<void> {
    await run(organizationId, async (tenant) => {
      // From here on no upload finishes; chunks that one still writes are found by their file's id.
      const going = await heads(tenant).change({ _id: id, state: noneOf(["ready"]) }, {
        set: { state: "deleting" },
      });
      if (going) await files(tenant).remove(id);
    });
    await transaction(organizationId, async (tenant) => {
      const gone = await heads(tenant).remove({ _id: id, state: "deleting" });
      if (gone) {
        await usage(tenant).change({ _id: tenant.organizationId }, { increment: { bytes: -gone.bytes } });
      }
    });
  }

  return { upload, list, get, download, remove, tidy, used };
}

/** In a transaction: of two at once that do not both fit, one starts again and finds no room. */
async function take(tenant: Tenant, bytes: number, limit: number | null): Promise<void> {
  const taken = await usage(tenant).change(
    { _id: tenant.organizationId, ...(limit !== null && { bytes: atMost(limit - bytes) }) },
    { increment: { bytes } },
  );
  if (!taken) throw new AppError("limit_reached", { details: { limit: "artifact_bytes" } });
}

async function requireReady(tenant: Tenant, id: string): Promise<Artifact> {
  const found = await heads(tenant).findOne({ _id: id, state: "ready" });
  if (!found) throw new AppError("artifact_not_found");
  return found;
}

/** Whoever tidied up took it for dead, or the organization is gone. */
async function requireUploading(changed: Promise<Artifact | undefined>): Promise<Artifact> {
  const found = await changed;
  if (!found) throw new AppError("artifact_not_found");
  return found;
}

const tooLarge = (most: number) => new AppError("payload_too_large", { details: { max_bytes: most } });
