import { byName, type Column, type SchemaSnapshot, type Table } from "./schema-snapshot.ts";

type Part = "column" | "primary_key" | "foreign_key" | "index";

/** One difference between two snapshots. `from` and `to` are the parts as the snapshots have them. */
export type SchemaChange =
  | { change: "table_added" | "table_removed"; schema: string; table: string; kind: Table["kind"] }
  | {
    change: "table_changed";
    schema: string;
    table: string;
    property: "kind" | "comment";
    from: string | null;
    to: string | null;
  }
  | { change: `${Part}_added`; schema: string; table: string; name: string; to: unknown }
  | { change: `${Part}_removed`; schema: string; table: string; name: string; from: unknown }
  | { change: `${Part}_changed`; schema: string; table: string; name: string; from: unknown; to: unknown };

/**
 * What changed from one snapshot of a database to a later one, sorted by schema and table. Row estimates are no change.
 * A table that a truncated snapshot may have left out is not called added or removed.
 */
export function diffSnapshots(before: SchemaSnapshot, after: SchemaSnapshot): SchemaChange[] {
  const was = byKey(before.tables, tableKey);
  const is = byKey(after.tables, tableKey);
  const changes: SchemaChange[] = [];
  for (const key of [...new Set([...was.keys(), ...is.keys()])].sort(byName)) {
    const [old, now] = [was.get(key), is.get(key)];
    if (old && now) changes.push(...diffTables(old, now));
    else if (old && !after.truncated) changes.push(whole("table_removed", old));
    else if (now && !before.truncated) changes.push(whole("table_added", now));
  }
  return changes;
}

// A space sorts before every character of a name that people use.
const tableKey = ({ schema, name }: Table) => `${schema} ${name}`;

function whole(change: "table_added" | "table_removed", { schema, name, kind }: Table): SchemaChange {
  return { change, schema, table: name, kind };
}

function diffTables(old: Table, now: Table): SchemaChange[] {
  const at = { schema: now.schema, table: now.name };
  const changes: SchemaChange[] = [];
  for (const property of ["kind", "comment"] as const) {
    if (old[property] === now[property]) continue;
    changes.push({ change: "table_changed", ...at, property, from: old[property], to: now[property] });
  }
  const compare = <T>(part: Part, was: Map<string, T>, is: Map<string, T>) => {
    for (const name of new Set([...was.keys(), ...is.keys()])) {
      const [from, to] = [was.get(name), is.get(name)];
      if (from === undefined) changes.push({ change: `${part}_added`, ...at, name, to });
      else if (to === undefined) changes.push({ change: `${part}_removed`, ...at, name, from });
      else if (!same(from, to)) changes.push({ change: `${part}_changed`, ...at, name, from, to });
    }
  };
  compare<Column>("column", byKey(old.columns, nameOf), byKey(now.columns, nameOf));
  compare("primary_key", primaryKey(old), primaryKey(now));
  compare("foreign_key", byKey(old.foreign_keys, nameOf), byKey(now.foreign_keys, nameOf));
  compare("index", byKey(old.indexes, nameOf), byKey(now.indexes, nameOf));
  return changes;
}

const nameOf = ({ name }: { name: string }) => name;
const byKey = <T>(items: T[], key: (item: T) => string) => new Map(items.map((item) => [key(item), item]));

function primaryKey({ primary_key }: Table): Map<string, string[]> {
  return new Map(primary_key.length > 0 ? [["primary_key", primary_key]] : []);
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return left.length === right.size &&
    left.every(([key, value]) => right.has(key) && same(value, right.get(key)));
}
