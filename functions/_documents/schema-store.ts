import { AppError } from "../_shared/errors.ts";
import { diffSnapshots, type SchemaChange } from "../_shared/schema-diff.ts";
import type { Column, SchemaSnapshot, Table } from "../_shared/schema-snapshot.ts";
import type { Documents, Tenant } from "./documents.ts";
import { newId } from "./id.ts";
import {
  type Annotation,
  schemaAnnotations,
  schemaSnapshots,
  schemaTables,
  type StoredSnapshot,
} from "./schemas.ts";
import { onceMore } from "./tenant-collection.ts";
import { atMost, beginsWith, below, oneOf } from "./where.ts";
import { wordsOf } from "./words.ts";

/** A table, or a column of it, of a connection's database. */
export interface TablePlace {
  schema: string;
  table: string;
}

export interface AnnotationInput extends TablePlace {
  /** Absent: the table itself. */
  column?: string | undefined;
  description?: string | undefined;
  pii: boolean;
  by?: string | undefined;
}

export interface SchemaSearch {
  /** Words, or their beginnings, of names, comments and descriptions: all must be found. */
  search: string;
  connection_id?: string | undefined;
  limit: number;
}

export interface Found extends TablePlace {
  connection_id: string;
  kind: Table["kind"];
  /** Those in which one of the words is found. */
  columns: string[];
}

export interface AnnotatedTable {
  table: Table;
  annotations: Annotation[];
}

const summaryFields = [
  "_id",
  "connection_id",
  "number",
  "content_hash",
  "engine",
  "database",
  "tables",
  "columns",
  "truncated",
  "changes",
  "taken_at",
  "seen_at",
] as const;
/** A snapshot without its content. */
export type SnapshotSummary = Pick<StoredSnapshot, typeof summaryFields[number]>;

export type SchemaIntelligence = ReturnType<typeof createSchemaStore>;

/** Of each connection; older ones go. */
const KEPT = 50;
const MOST_ANNOTATIONS = 1000;
const MOST_FOUND = 200;
/** Of one table. */
const MOST_WORDS = 5000;

const snapshots = (tenant: Tenant) => tenant.collection(schemaSnapshots);
const tables = (tenant: Tenant) => tenant.collection(schemaTables);
const annotations = (tenant: Tenant) => tenant.collection(schemaAnnotations);

/** What is known of customers' databases: how they look, what changed, and what people say of them. */
export function createSchemaStore(
  documents: Documents,
  { clock = Date.now }: { clock?: (() => number) | undefined } = {},
) {
  const { run, transaction } = documents;
  const now = () => new Date(clock());

  /** Keeps a snapshot beside what has changed since the one before. One that says the same is the one before. */
  async function save(
    organizationId: string,
    connectionId: string,
    snapshot: SchemaSnapshot,
  ): Promise<{ snapshot_id: string; changes: SchemaChange[] }> {
    const connection_id = connectionId.toLowerCase();
    // Two at once: the other was first, and is then the one before.
    return await onceMore(() =>
      transaction(organizationId, (tenant) => saveIn(tenant, connection_id, snapshot))
    );
  }

  async function saveIn(tenant: Tenant, connection_id: string, snapshot: SchemaSnapshot) {
    const before = await latestOf(tenant, connection_id);
    if (before?.content_hash === snapshot.content_hash) {
      await snapshots(tenant).change({ _id: before._id }, { set: { seen_at: now() } });
      return { snapshot_id: before._id, changes: [] };
    }
    const old = before && parsed(before);
    const changes = old ? diffSnapshots(old, snapshot) : [];
    const number = (before?.number ?? 0) + 1;
    const { _id } = await snapshots(tenant).insert({
      _id: newId(clock()),
      connection_id,
      number,
      content_hash: snapshot.content_hash,
      engine: snapshot.engine,
      database: snapshot.database,
      tables: snapshot.tables.length,
      columns: snapshot.tables.reduce((sum, { columns }) => sum + columns.length, 0),
      truncated: snapshot.truncated,
      snapshot: JSON.stringify(snapshot),
      changes: changes.length,
      taken_at: now(),
      seen_at: now(),
    });
    await snapshots(tenant).removeAll({ connection_id, number: atMost(number - KEPT) });
    await indexTables(tenant, connection_id, old?.tables ?? [], snapshot.tables);
    return { snapshot_id: _id, changes };
  }

  /** Those that there are snapshots of. */
  const connections = (organizationId: string): Promise<string[]> =>
    run(organizationId, async (tenant) => {
      const groups = await snapshots(tenant).totals({}, { by: "connection_id" });
      return groups.map(({ key }) => String(key));
    });

  /** The snapshots of a connection, the newest first. */
  const list = (
    organizationId: string,
    connection_id: string,
    { limit, before }: { limit: number; before?: number | undefined },
  ): Promise<SnapshotSummary[]> =>
    run(organizationId, (tenant) =>
      snapshots(tenant).find(
        { connection_id, ...(before !== undefined && { number: below(before) }) },
        { fields: summaryFields, sort: { number: -1 }, limit },
      ));

  const get = (
    organizationId: string,
    connection_id: string,
    number: number | "latest",
  ): Promise<{ summary: SnapshotSummary; snapshot: SchemaSnapshot }> =>
    run(organizationId, async (tenant) => {
      const { snapshot, ...summary } = await requireSnapshot(tenant, connection_id, number);
      return { summary, snapshot: JSON.parse(snapshot) };
    });

  /** What changed from one snapshot to another. */
  const diff = (
    organizationId: string,
    connection_id: string,
    from: number,
    to: number | "latest",
  ): Promise<SchemaChange[]> =>
    run(organizationId, async (tenant) => {
      const old = await requireSnapshot(tenant, connection_id, from);
      return diffSnapshots(parsed(old), parsed(await requireSnapshot(tenant, connection_id, to)));
    });

  /** Tables in which all words are found: in names, comments, and what people say of them and their columns. */
  const search = (organizationId: string, query: SchemaSearch): Promise<Found[]> =>
    run(organizationId, async (tenant) => {
      const words = wordsOf(query.search, 8);
      if (words.length === 0) return [];
      const within = query.connection_id === undefined ? {} : { connection_id: query.connection_id };
      const all = words.map((word) => ({ words: beginsWith(word) }));
      const [named, said] = await Promise.all([
        tables(tenant).find([within, ...all], { limit: query.limit, sort: { _id: 1 } }),
        annotations(tenant).find([within, ...all], {
          limit: Math.min(query.limit, MOST_FOUND),
          sort: { _id: 1 },
        }),
      ]);
      const matches = ({ name, comment }: Column) => {
        const own = wordsOf(`${spelled(name)} ${comment ?? ""}`, MOST_WORDS);
        return words.some((word) => own.some((each) => each.startsWith(word)));
      };
      const found = new Map<string, Found>();
      for (const { _id, connection_id, schema, table, content } of named) {
        const { kind, columns } = JSON.parse(content) as Table;
        found.set(_id, {
          connection_id,
          schema,
          table,
          kind,
          columns: columns.filter(matches).map(({ name }) => name),
        });
      }
      const places = said.map(({ connection_id, schema, table }) => ({ connection_id, schema, table }));
      const missing = [...new Set(await Promise.all(places.map((place) => tableId(tenant, place))))];
      const others = await tables(tenant).find({ _id: oneOf(missing) }, { limit: MOST_FOUND });
      for (const { _id, connection_id, schema, table, content } of others) {
        const { kind } = JSON.parse(content) as Table;
        if (!found.has(_id)) found.set(_id, { connection_id, schema, table, kind, columns: [] });
      }
      for (const { connection_id, schema, table, column } of said) {
        const one = found.get(await tableId(tenant, { connection_id, schema, table }));
        if (one && column !== "" && !one.columns.includes(column)) one.columns.push(column);
      }
      return [...found.values()].slice(0, query.limit);
    });

  /** A table of the latest snapshot, with what people say of it. */
  const table = (
    organizationId: string,
    connection_id: string,
    { schema, table }: TablePlace,
  ): Promise<AnnotatedTable> =>
    run(organizationId, async (tenant) => {
      const [found, said] = await Promise.all([
        requireTable(tenant, connection_id, { schema, table }),
        annotations(tenant).find({ connection_id, schema, table }, {
          sort: { column: 1 },
          limit: MOST_ANNOTATIONS,
        }),
      ]);
      return { table: found, annotations: said };
    });

  /** What people say of a connection's tables, by the table they are of; also of what is not there any more. */
  const annotated = (
    organizationId: string,
    connection_id: string,
    { limit, after }: { limit: number; after?: string | undefined },
  ): Promise<Annotation[]> =>
    run(organizationId, (tenant) =>
      annotations(tenant).find(
        [{ connection_id }, ...(after === undefined ? [] : [{ _id: below(after) }])],
        { sort: { _id: -1 }, limit },
      ));

  /** Says something of a table or column that is there. What says nothing is deleted. */
  const annotate = (
    organizationId: string,
    connection_id: string,
    { schema, table, column = "", description, pii, by }: AnnotationInput,
  ): Promise<Annotation | undefined> =>
    run(organizationId, async (tenant) => {
      const place = { connection_id, schema, table, column };
      if (!description && !pii) {
        await annotations(tenant).remove(place);
        return undefined;
      }
      const { columns } = await requireTable(tenant, connection_id, { schema, table });
      if (column !== "" && !columns.some(({ name }) => name === column)) {
        throw new AppError("schema_not_found");
      }
      return await onceMore(() =>
        annotations(tenant).change(place, {
          set: {
            ...(description && { description }),
            pii,
            words: wordsOf(`${spelled(table)} ${spelled(column)} ${description ?? ""}`, 200),
            ...(by && { updated_by: by }),
            updated_at: now(),
          },
          ...(!description && { unset: ["description"] as const }),
          setOnInsert: { _id: newId(clock()) },
        }, { upsert: true })
      );
    });

  /** Deletes all that is known of a connection: it is gone. */
  const forget = (organizationId: string, connection_id: string): Promise<number> =>
    run(organizationId, async (tenant) => {
      let count = 0;
      for (const collection of [annotations(tenant), tables(tenant), snapshots(tenant)]) {
        count += await collection.removeAll({ connection_id });
      }
      return count;
    });

  return { save, connections, list, get, diff, search, table, annotated, annotate, forget };
}

const parsed = ({ snapshot }: StoredSnapshot): SchemaSnapshot => JSON.parse(snapshot);

const latestOf = (tenant: Tenant, connection_id: string) =>
  snapshots(tenant).findOne({ connection_id }, { sort: { number: -1 } });

async function requireSnapshot(
  tenant: Tenant,
  connection_id: string,
  number: number | "latest",
): Promise<StoredSnapshot> {
  const found = number === "latest"
    ? await latestOf(tenant, connection_id)
    : await snapshots(tenant).findOne({ connection_id, number });
  if (!found) throw new AppError("schema_not_found");
  return found;
}

async function requireTable(
  tenant: Tenant,
  connection_id: string,
  { schema, table }: TablePlace,
): Promise<Table> {
  const found = await tables(tenant).findOne({ connection_id, schema, table }, { fields: ["content"] });
  if (!found) throw new AppError("schema_not_found");
  return JSON.parse(found.content);
}

/** Brings the tables that are searched from one snapshot to the next: only what has changed is written. */
async function indexTables(tenant: Tenant, connection_id: string, old: Table[], now: Table[]): Promise<void> {
  const was = new Map(old.map((table) => [keyOf(table), JSON.stringify(table)]));
  const is = new Map(now.map((table) => [keyOf(table), JSON.stringify(table)]));
  const gone = old.filter((table) => was.get(keyOf(table)) !== is.get(keyOf(table)));
  const fresh = now.filter((table) => was.get(keyOf(table)) !== is.get(keyOf(table)));
  const idOf = ({ schema, name }: Table) => tableId(tenant, { connection_id, schema, table: name });
  for (let at = 0; at < gone.length; at += 1000) {
    const ids = await Promise.all(gone.slice(at, at + 1000).map(idOf));
    await tables(tenant).removeAll({ _id: oneOf(ids) });
  }
  for (let at = 0; at < fresh.length; at += 200) {
    await tables(tenant).insertMany(
      await Promise.all(
        fresh.slice(at, at + 200).map(async (table) => ({
          _id: await idOf(table),
          connection_id,
          schema: table.schema,
          table: table.name,
          words: wordsOf(textOf(table), MOST_WORDS),
          content: JSON.stringify(table),
        })),
      ),
    );
  }
}

const keyOf = ({ schema, name }: Table) => JSON.stringify([schema, name]);

// Names are long and hold anything: their hash is an id.
async function tableId(
  tenant: Tenant,
  { connection_id, schema, table }: TablePlace & { connection_id: string },
) {
  const text = JSON.stringify([tenant.organizationId, connection_id, schema, table]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** orderLines is two words, as order_lines is, and one. */
const spelled = (name: string) => `${name} ${name.replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, "$1 $2")}`;

function textOf({ schema, name, comment, columns }: Table): string {
  const names = [schema, name, ...columns.map((column) => column.name)].map(spelled);
  return [...names, comment ?? "", ...columns.map((column) => column.comment ?? "")].join(" ");
}
