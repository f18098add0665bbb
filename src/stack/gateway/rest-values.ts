import type { IntrospectResult } from "@supabase/lite";
import { type Expression, type RawBuilder, sql } from "kysely";
import type { RestRequest } from "./rest-request.ts";

/** What this gateway touches of lite's syntax tree of a request. */
export interface WriteAst {
  type: "query" | "insert" | "update" | "upsert" | "put" | "delete" | "rpc";
  from?: string;
  schema?: string;
  select?: (string | Record<string, { path?: unknown; pathText?: boolean }>)[];
  where?: Record<string, unknown>;
  values?: unknown;
  function?: string;
  args?: unknown;
  inputType?: string;
  httpMethod?: string;
  $meta?: { columns?: string[]; missing?: string };
}

type Row = Record<string, unknown>;

/** Hands the values of a write to PostgreSQL as JSON, which it converts itself, as under PostgREST. */
export function exactValues(ast: WriteAst, request: RestRequest, schema: IntrospectResult): WriteAst {
  if (ast.type === "rpc") return exactArguments(ast, request, schema);
  if (!ast.from || ast.values === undefined) return ast;
  if (ast.type !== "insert" && ast.type !== "upsert" && ast.type !== "update") return ast;
  const table = sql.table(`${ast.schema ?? "public"}.${ast.from}`);
  const values = request.body ?? ast.values;
  if (!isRow(values) && !(Array.isArray(values) && values.every(isRow))) return ast;
  const { columns, missing } = ast.$meta ?? {};
  const convert = (row: Row) => {
    if (ast.type !== "update" && Object.keys(row).length === 0 && !columns) return defaultsOnly(ast, schema);
    const names = columns && ast.type !== "update" ? columns : Object.keys(row);
    return Object.fromEntries(
      names.map((name) => [
        name,
        missing === "default" && !Object.hasOwn(row, name)
          ? sql`default`
          : columnValue(table, name, row[name] ?? null),
      ]),
    );
  };
  if (Array.isArray(values) && missing !== "default" && (columns ?? Object.keys(values[0] ?? {})).length > 0)
    request.rows = JSON.stringify(values);
  const converted = Array.isArray(values) ? values.map(convert) : convert(values);
  // lite writes null into the answer for every key that was missing, whatever was stored.
  const meta = columns && missing === "default" ? { ...ast.$meta, columns: undefined } : ast.$meta;
  return { ...ast, values: converted, ...(meta && { $meta: meta as NonNullable<WriteAst["$meta"]> }) };
}

// lite has no `insert … default values`.
function defaultsOnly({ from, schema: name = "public" }: WriteAst, { columns }: IntrospectResult): Row {
  const column = columns.find((c) => c.table === from && c.schema === name && c.is_generated !== true);
  return column ? { [column.name]: sql`default` } : {};
}

function columnValue(table: Expression<unknown>, name: string, value: unknown): RawBuilder<unknown> {
  const record = JSON.stringify({ [name]: value });
  return sql`(json_populate_record(null::${table}, ${record}::json)).${sql.id(name)}`;
}

function exactArguments(ast: WriteAst, { body, query }: RestRequest, schema: IntrospectResult): WriteAst {
  if (ast.httpMethod === "GET" && isRow(ast.args)) return { ...ast, args: literalArguments(ast.args, query) };
  if (ast.httpMethod !== "POST" || ast.inputType !== "json" || !isRow(body)) return ast;
  const types = argumentTypes(ast, Object.keys(body), schema);
  if (!types) return ast;
  const args = Object.entries(body).map(([name, value]) => {
    const type = types.get(name) ?? "text";
    const text = JSON.stringify(value);
    // As text lite passes it on untouched.
    if (type === "json" || type === "jsonb") return [name, value === null ? null : text];
    const record = `{"v":${text}}`;
    const argument = sql`(select v from json_to_record(${record}::json) as _(v ${sql.raw(type)}))`;
    // lite takes anything but an array for the text of one.
    return [
      name,
      Object.assign([], { expressionType: undefined, toOperationNode: () => argument.toOperationNode() }),
    ];
  });
  return { ...ast, args: Object.fromEntries(args) };
}

// In a query every argument is text.
function literalArguments(args: Row, query: URLSearchParams): Row {
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => [name, Array.isArray(value) ? value : query.get(name)]),
  );
}

/** The types of a function's arguments, when exactly one function takes these names. */
function argumentTypes(
  ast: WriteAst,
  names: string[],
  schema: IntrospectResult,
): Map<string, string> | undefined {
  const candidates = (schema.functions ?? []).filter(
    (candidate) =>
      candidate.schema === (ast.schema ?? "public") &&
      candidate.name === ast.function &&
      names.every((name) => candidate.arg_names.includes(name)) &&
      candidate.arg_names.length - candidate.arg_defaults <= names.length,
  );
  const [only] = candidates;
  if (candidates.length !== 1 || !only) return undefined;
  return new Map(only.arg_names.map((name, index) => [name, only.arg_types[index] ?? "text"]));
}

const isRow = (value: unknown): value is Row =>
  value !== null && typeof value === "object" && !Array.isArray(value);
