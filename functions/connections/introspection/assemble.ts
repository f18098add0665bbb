import {
  byName,
  type Column,
  contentHash,
  type ForeignKey,
  type Index,
  type SchemaSnapshot,
  schemaSnapshotSchema,
  type Table,
} from "../../_shared/schema-snapshot.ts";
import type { IntrospectionLimits } from "../engine.ts";
import { ConnectionFailure } from "../failures.ts";

/** A row of an engine's catalogue: values as the driver gave them. */
export type CatalogueRow = Record<string, unknown>;

/** What every engine reads of its catalogue, in these columns. Rows of one key or index come in its columns' order. */
export interface CatalogueRows {
  /** name */
  schemas: CatalogueRow[];
  /**
   * schema, name, kind (table, view), comment, rows. The others but for schemas come in the same order of tables. One more
   * than the limit shows that there are more.
   */
  tables: CatalogueRow[];
  /** schema, table, name, type, nullable, default, comment, generated; sorted by schema, table and position. */
  columns: CatalogueRow[];
  /** schema, table, name, column (null for an expression), unique, primary */
  indexes: CatalogueRow[];
  /** schema, table, name, column, to_schema, to_table, to_column */
  foreignKeys: CatalogueRow[];
}

export type Described = Pick<SchemaSnapshot, "engine" | "server" | "database">;

/** Puts a snapshot together in its one normal form, and leaves out what passes a limit. */
export async function assembleSnapshot(
  described: Described,
  rows: CatalogueRows,
  limits: IntrospectionLimits,
): Promise<SchemaSnapshot> {
  const tables = new Map<string, Table>();
  const complete = rows.tables.slice(0, completeTables(rows, limits));
  const sorted = complete.map(toTable).sort((a, b) => byName(a.schema, b.schema) || byName(a.name, b.name));
  for (const table of sorted) tables.set(key(table.schema, table.name), table);
  let truncated = complete.length < rows.tables.length;

  const of = (row: CatalogueRow) => tables.get(keyOf(row, "table"));
  for (const row of rows.columns) of(row)?.columns.push(toColumn(row));
  for (const row of rows.indexes) addIndex(of(row), row);
  for (const row of rows.foreignKeys) addForeignKey(of(row), row);

  const kept: Table[] = [];
  let bytes = 0;
  for (const table of tables.values()) {
    table.indexes.sort((a, b) => byName(a.name, b.name));
    table.foreign_keys.sort((a, b) => byName(a.name, b.name));
    bytes += new TextEncoder().encode(JSON.stringify(table)).length;
    if (bytes > limits.bytes) {
      truncated = true;
      break;
    }
    kept.push(table);
  }
  const content = {
    engine: described.engine,
    server: described.server,
    database: name(described.database),
    schemas: rows.schemas.slice(0, limits.tables).map((row) => name(row["name"])).sort(byName),
    tables: kept,
    truncated: truncated || rows.schemas.length > limits.tables,
  };
  const snapshot = { format: "nectar.schema/1", ...content, content_hash: await contentHash(content) };
  // A server may say anything: tables without a name, columns of nothing.
  const checked = schemaSnapshotSchema.safeParse(snapshot);
  if (!checked.success) throw new ConnectionFailure("unsupported_server");
  return checked.data;
}

/** How many tables were read to their end. Half of one would be taken for a change of it. */
function completeTables(
  { tables, columns, indexes, foreignKeys }: CatalogueRows,
  limits: IntrospectionLimits,
): number {
  const ends = [columns, indexes, foreignKeys].map((list) => {
    const first = list[limits.columns];
    const at = first ? tables.findIndex((row) => keyOf(row, "name") === keyOf(first, "table")) : -1;
    return at < 0 ? limits.tables : at;
  });
  return Math.min(limits.tables, ...ends);
}

const keyOf = (row: CatalogueRow, table: "name" | "table") => key(name(row["schema"]), name(row[table]));
const key = (schema: string, table: string) => JSON.stringify([schema, table]);
const name = (value: unknown) => String(value ?? "").slice(0, 256).toWellFormed();
const isTrue = (value: unknown) => value === true || Number(value) === 1;

function text(value: unknown, most = 1000): string | null {
  return value === null || value === undefined || value === ""
    ? null
    : String(value).slice(0, most).toWellFormed();
}

function toTable(row: CatalogueRow): Table {
  const rows = row["rows"] === null || row["rows"] === undefined ? NaN : Math.round(Number(row["rows"]));
  return {
    schema: name(row["schema"]),
    name: name(row["name"]),
    kind: row["kind"] === "view" ? "view" : "table",
    comment: text(row["comment"]),
    rows: Number.isSafeInteger(rows) && rows >= 0 ? rows : null,
    columns: [],
    primary_key: [],
    foreign_keys: [],
    indexes: [],
  };
}

function toColumn(row: CatalogueRow): Column {
  return {
    name: name(row["name"]),
    type: text(row["type"]) ?? "",
    nullable: isTrue(row["nullable"]),
    default: text(row["default"]),
    comment: text(row["comment"]),
    generated: isTrue(row["generated"]),
  };
}

function addIndex(table: Table | undefined, row: CatalogueRow): void {
  if (!table) return;
  const column = row["column"] === null || row["column"] === undefined ? [] : [name(row["column"])];
  if (isTrue(row["primary"])) return void table.primary_key.push(...column);
  const index = named<Index>(
    table.indexes,
    row,
    (name) => ({ name, columns: [], unique: isTrue(row["unique"]) }),
  );
  index.columns.push(...column);
}

function addForeignKey(table: Table | undefined, row: CatalogueRow): void {
  if (!table) return;
  const foreignKey = named<ForeignKey>(table.foreign_keys, row, (called) => ({
    name: called,
    columns: [],
    schema: name(row["to_schema"]),
    table: name(row["to_table"]),
    references: [],
  }));
  foreignKey.columns.push(name(row["column"]));
  foreignKey.references.push(name(row["to_column"]));
}

function named<T extends { name: string }>(items: T[], row: CatalogueRow, make: (name: string) => T): T {
  const called = name(row["name"]);
  const last = items.at(-1);
  if (last?.name === called) return last;
  const made = make(called);
  items.push(made);
  return made;
}
