import type { Collection, Db } from "mongodb";
import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { createArtifactStore } from "../_documents/artifact-store.ts";
import { ARTIFACT_FILES, artifacts } from "../_documents/artifacts.ts";
import { collections } from "../_documents/collections.ts";
import { createDocuments } from "../_documents/documents.ts";
import { createSchemaStore } from "../_documents/schema-store.ts";
import { timeOf } from "../_documents/activity-store.ts";
import { dataOf } from "../_shared/database-errors.ts";
import type { Log } from "../_shared/log.ts";
import type { Mongo } from "../_shared/mongo.ts";
import { deleteDocuments } from "./delete-documents.ts";
import type { Job } from "./jobs.ts";

/** How far a round has come, in MongoDB. */
interface Position {
  _id: "reconcile_documents";
  /** The last organization, then the last file, that was looked at. */
  part: "organizations" | "files";
  after: string;
  /** When the last whole round ended. */
  done_at?: Date;
}

export interface ReconcileOptions {
  mongo: Mongo;
  configured: boolean;
  log: Log;
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** Milliseconds from the end of a round to the next. Default an hour. */
  everyMs?: number;
  /** Organizations that PostgreSQL is asked about at once. Default 100. */
  batch?: number;
}

const JOBS = "nectar_jobs";
/** An upload may take so long, and longer. */
const YOUNG_MS = 3_600_000;

type Admin = SupabaseContext<Database>["supabaseAdmin"];

/**
 * Finds what nothing leads to any more: documents of organizations, and of connections, that PostgreSQL does not know,
 * uploads and deletions that were broken off, and chunks of files that are none. It goes on where it stopped.
 */
export function reconcileDocuments(options: ReconcileOptions): Job {
  const { mongo, configured, log, clock = Date.now, everyMs = 3_600_000, batch = 100 } = options;
  const documents = createDocuments({ mongo, log });
  const store = createArtifactStore(documents, { clock });
  const schema = createSchemaStore(documents, { clock });

  async function organizations(database: Db, admin: Admin, position: Position, timeIsUp: () => boolean) {
    let count = 0;
    while (!timeIsUp()) {
      const ids = await organizationsAfter(database, position.after, batch);
      if (ids.length === 0) return { count, done: true };
      const known = await knownOf(admin, "organizations", ids);
      for (const id of ids) {
        if (timeIsUp()) return { count, done: false };
        if (known.has(id)) count += await store.tidy(id) + await connections(admin, id);
        else {
          // What is no id of ours is no reason to delete: it is told, and left.
          const ours = /^[\da-f-]{36}$/.test(id);
          log({
            level: "warn",
            function: "maintenance",
            event: ours ? "documents_orphaned" : "documents_strange",
            organization: id,
          });
          if (ours && !await deleteDocuments(database, id, timeIsUp)) return { count, done: false };
          if (ours) count++;
        }
        await advance(database, position, { after: id });
      }
    }
    return { count, done: false };
  }

  /** Forgets connections that PostgreSQL does not know: one may be deleted while its schema is read. */
  async function connections(admin: Admin, organizationId: string): Promise<number> {
    const ids = await schema.connections(organizationId);
    const known = await knownOf(admin, "database_connections", ids);
    const gone = ids.filter((id) => !known.has(id));
    for (const connection of gone) {
      const orphaned = { event: "connection_orphaned", organization: organizationId, connection };
      log({ level: "warn", function: "maintenance", ...orphaned });
      await schema.forget(organizationId, connection);
    }
    return gone.length;
  }

  async function files(database: Db, position: Position, timeIsUp: () => boolean) {
    const chunks = database.collection<{ files_id: string }>(`${ARTIFACT_FILES}.chunks`);
    const found = database.collection<{ _id: string }>(`${ARTIFACT_FILES}.files`);
    let count = 0;
    while (!timeIsUp()) {
      const id = await nextFile(chunks, found, position.after);
      if (id === undefined) return { count, done: true };
      // Ids begin with their time; and an artifact is there before its first chunk.
      const head = await database.collection<{ _id: string }>(artifacts.name).findOne({ _id: id });
      if (!head && clock() - timeOf(id) > YOUNG_MS) {
        await chunks.deleteMany({ files_id: id });
        await found.deleteOne({ _id: id });
        count++;
      }
      await advance(database, position, { after: id });
    }
    return { count, done: false };
  }

  return {
    name: "reconcile_documents",
    ready: () => configured,
    run: (admin, timeIsUp) =>
      mongo.run(async (database) => {
        const position = await positionIn(database);
        const ended = position.done_at?.getTime() ?? 0;
        const between = position.part === "organizations" && position.after === "";
        if (between && clock() - ended < everyMs) return { status: "done", count: 0 };
        let count = 0;
        if (position.part === "organizations") {
          const part = await organizations(database, admin, position, timeIsUp);
          count += part.count;
          if (!part.done) return { status: "unfinished", count };
          await advance(database, position, { part: "files", after: "" });
        }
        const part = await files(database, position, timeIsUp);
        count += part.count;
        if (!part.done) return { status: "unfinished", count };
        await advance(database, position, { part: "organizations", after: "", done_at: new Date(clock()) });
        return { status: "done", count };
      }),
  };
}

async function positionIn(database: Db): Promise<Position> {
  const found = await database.collection<Position>(JOBS).findOne({ _id: "reconcile_documents" });
  return found ?? { _id: "reconcile_documents", part: "organizations", after: "" };
}

async function advance(
  database: Db,
  position: Position,
  change: Partial<Omit<Position, "_id">>,
): Promise<void> {
  Object.assign(position, change);
  const { _id, ...fields } = position;
  await database.collection<Position>(JOBS).updateOne({ _id }, { $set: fields }, { upsert: true });
}

/** The next organizations that have documents in any collection: each step is one look into an index. */
async function organizationsAfter(database: Db, after: string, most: number): Promise<string[]> {
  const next = await Promise.all(collections.map(async ({ name }) => {
    const ids: string[] = [];
    let last = after;
    while (ids.length < most) {
      const found = await database.collection(name).findOne({ organization_id: { $gt: last } }, {
        sort: { organization_id: 1 },
        projection: { _id: 0, organization_id: 1 },
      });
      if (!found) break;
      last = String(found["organization_id"]);
      ids.push(last);
    }
    return ids;
  }));
  return [...new Set(next.flat())].sort().slice(0, most);
}

/** Closed organizations are known until they are purged. */
async function knownOf(
  admin: Admin,
  table: "organizations" | "database_connections",
  ids: readonly string[],
): Promise<Set<string>> {
  const asked = ids.filter((id) => /^[\da-f-]{36}$/.test(id));
  const known = new Set<string>();
  for (let at = 0; at < asked.length; at += 100) {
    const found = dataOf(await admin.from(table).select("id").in("id", asked.slice(at, at + 100)));
    for (const { id } of found) known.add(id);
  }
  return known;
}

async function nextFile(
  chunks: Collection<{ files_id: string }>,
  files: Collection<{ _id: string }>,
  after: string,
): Promise<string | undefined> {
  const [chunk, file] = await Promise.all([
    chunks.findOne({ files_id: { $gt: after } }, {
      sort: { files_id: 1, n: 1 },
      projection: { files_id: 1 },
    }),
    files.findOne({ _id: { $gt: after } }, { sort: { _id: 1 }, projection: { _id: 1 } }),
  ]);
  const ids = [chunk?.files_id, file?._id].filter((id) => id !== undefined);
  return ids.sort()[0];
}
