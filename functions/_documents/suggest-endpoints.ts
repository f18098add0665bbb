import type { Parameter } from "../_workflows/parameters.ts";
import { FORMAT, type WorkflowDefinition } from "../_workflows/workflow.ts";
import type { Column, SchemaSnapshot, Table } from "../_shared/schema-snapshot.ts";

export interface Suggestion {
  kind: "list" | "get" | "by_key";
  name: string;
  slug: string;
  definition: WorkflowDefinition;
}

type Engine = SchemaSnapshot["engine"];

const MOST_COLUMNS = 200;

/** Quotes a name for the engine; undefined where a workflow's statement could not hold it safely. */
function quote(engine: Engine, name: string): string | undefined {
  // Statements are read by us and by the database: names that one could read otherwise are left out.
  if (!/^[\p{L}_][\p{L}\p{N}_ -]{0,127}$/u.test(name) || name.includes("--")) return undefined;
  if (engine === "mssql") return `[${name}]`;
  return engine === "mysql" ? `\`${name}\`` : `"${name}"`;
}

/**
 * Drafts of workflows that a table's keys suggest: a page of its rows, one row by its primary key, and rows by each unique
 * or foreign key. Columns with personal data are left out of what is selected, and no key has them.
 */
export function suggestEndpoints(
  engine: Engine,
  connection: string,
  table: Table,
  personal: ReadonlySet<string> = new Set(),
): Suggestion[] {
  const from = [table.schema, table.name].map((name) => quote(engine, name));
  const shown = table.columns.filter(({ name }) => !personal.has(name) && quote(engine, name)).slice(
    0,
    MOST_COLUMNS,
  );
  const path = segment(table.name);
  if (from.includes(undefined) || shown.length === 0 || !path) return [];
  const select = `select ${shown.map(({ name }) => quote(engine, name)).join(", ")} from ${from.join(".")}`;
  const make = (kind: Suggestion["kind"], key: Column[], many: boolean): Suggestion | undefined => {
    const bound = nameAll(key);
    if (!bound) return undefined;
    const names = bound.map(({ parameter }) => parameter.name);
    const by = names.join("-and-").replaceAll("_", "-");
    const isPage = kind === "list" || many;
    const order = orderOf(table, shown).map((name) => quote(engine, name)).join(", ");
    const where = bound.map(({ column, parameter }) => `${quote(engine, column)} = :${parameter.name}`).join(
      " and ",
    );
    const statement = [
      select,
      ...(where ? [`where ${where}`] : []),
      ...(isPage ? [`order by ${order}`, page[engine]] : []),
    ].join(" ");
    const route = kind === "list"
      ? `/${path}`
      : kind === "get"
      ? `/${path}${names.map((name) => `/{${name}}`).join("")}`
      : `/${path}/by-${by}${names.map((name) => `/{${name}}`).join("")}`;
    if (route.length > 300) return undefined;
    const slug = `${kind === "get" ? "get" : "list"}-${path}${kind === "by_key" ? `-by-${by}` : ""}`.slice(
      0,
      63,
    )
      .replace(/-+$/, "");
    const title = `${kind === "get" ? "Get one of" : "List"} ${table.name}${
      kind === "by_key" ? ` by ${names.join(", ")}` : ""
    }`;
    return {
      kind,
      name: title.slice(0, 100).trim(),
      slug,
      definition: definitionOf(connection, route, statement, bound.map(({ parameter }) => parameter), isPage),
    };
  };

  const column = new Map(
    table.columns.filter(({ name }) => !personal.has(name)).map((each) => [each.name, each]),
  );
  const keyOf = (names: readonly string[]) => {
    const found = names.flatMap((name) => column.get(name) ?? []);
    return found.length === names.length && found.length > 0 ? found : undefined;
  };
  const primary = keyOf(table.primary_key);
  const unique = table.indexes.filter((index) => index.unique && index.columns.length > 0).map((
    { columns },
  ) => columns);
  const foreign = table.foreign_keys.map(({ columns }) => columns);
  const seen = new Set([JSON.stringify(table.primary_key)]);
  const keys = [
    ...unique.map((names) => [names, false] as const),
    ...foreign.map((names) => [names, true] as const),
  ]
    .filter(([names]) => {
      const text = JSON.stringify(names);
      return !seen.has(text) && seen.add(text);
    });
  return [
    make("list", [], true),
    primary && make("get", primary, false),
    ...keys.map(([names, many]) => {
      const key = keyOf(names);
      return key && make("by_key", key, many);
    }),
  ].filter((each) => each !== undefined);
}

const page: Record<Engine, string> = {
  mssql: "offset :offset rows fetch next :limit rows only",
  postgres: "limit :limit offset :offset",
  mysql: "limit :limit offset :offset",
};

/** A page is always the same only in an order: by the key where it is shown, else by the first column. */
function orderOf({ primary_key }: Table, shown: Column[]): string[] {
  const names = shown.map(({ name }) => name);
  const byKey = primary_key.length > 0 && primary_key.every((name) => names.includes(name));
  return byKey ? primary_key : names.slice(0, 1);
}

function definitionOf(
  connection: string,
  path: string,
  statement: string,
  key: Parameter[],
  isPage: boolean,
): WorkflowDefinition {
  const paging: Parameter[] = isPage
    ? [
      { name: "limit", type: "integer", in: "query", default: 50, minimum: 1, maximum: 500 },
      { name: "offset", type: "integer", in: "query", default: 0, minimum: 0, maximum: 1_000_000 },
    ]
    : [];
  const parameters = [...key, ...paging];
  const find = {
    id: "find",
    type: "sql" as const,
    connection,
    statement,
    ...(parameters.length > 0 && {
      parameters: Object.fromEntries(parameters.map(({ name }) => [name, { parameter: name }])),
    }),
    max_rows: isPage ? 500 : 1,
  };
  const base = {
    format: FORMAT,
    trigger: { type: "http" as const, method: "GET" as const, path },
    ...(parameters.length > 0 && { parameters }),
    start: "find",
  } satisfies Partial<WorkflowDefinition>;
  if (isPage) {
    return {
      ...base,
      steps: [find, { id: "ok", type: "respond", status: 200, body: { pointer: "/steps/find/rows" } }],
      edges: [{ from: "find", to: "ok" }],
    };
  }
  return {
    ...base,
    steps: [
      find,
      {
        id: "found",
        type: "branch",
        cases: [{ name: "yes", when: { left: { pointer: "/steps/find/rows/0" }, is: "present" } }],
      },
      { id: "ok", type: "respond", status: 200, body: { pointer: "/steps/find/rows/0" } },
      { id: "missing", type: "respond", status: 404, body: { object: { error: { value: "not found" } } } },
    ],
    edges: [
      { from: "find", to: "found" },
      { from: "found", to: "ok", on: "yes" },
      { from: "found", to: "missing", on: "else" },
    ],
  };
}

/** A parameter for each column of a key; undefined where one cannot be. */
function nameAll(key: Column[]): { column: string; parameter: Parameter }[] | undefined {
  const taken = new Set(["limit", "offset"]);
  const bound = key.map(({ name, type }) => {
    let parameter = snake(name);
    while (taken.has(parameter)) parameter = `${parameter}_key`.slice(0, 63);
    taken.add(parameter);
    return { column: name, parameter: { name: parameter, type: typeOf(type), in: "path" as const } };
  });
  return bound.every(({ parameter }) => /^[a-z][a-z0-9_]{0,62}$/.test(parameter.name)) ? bound : undefined;
}

function typeOf(type: string): Parameter["type"] {
  const bare = type.toLowerCase();
  if (/^(tiny|small|medium|big)?int|^integer|^(big|small)?serial/.test(bare)) {
    // Beyond 2^53 a number of JSON is not exact.
    return bare.startsWith("big") ? "string" : "integer";
  }
  if (/^(uuid|uniqueidentifier)/.test(bare)) return "uuid";
  if (/^date$/.test(bare)) return "date";
  if (/^bool/.test(bare) || bare === "bit") return "boolean";
  return "string";
}

const plain = (name: string) =>
  name.normalize("NFKD").replace(/\p{M}/gu, "").replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, "$1_$2").toLowerCase();
const snake = (name: string) =>
  plain(name).replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "").slice(0, 50);
const segment = (name: string) =>
  plain(name).replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 40).replace(/-+$/, "");
