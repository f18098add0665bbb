import {
  ColumnUpdateNode,
  type CompiledQuery,
  type KyselyPlugin,
  OnConflictNode,
  PostgresQueryCompiler,
  type QueryId,
  RawNode,
  type RootOperationNode,
  ValueNode,
} from "kysely";
import { PostgresJSDialect } from "kysely-postgres-js";
import { parseExact } from "./exact-json.ts";
import { type RestRequest, restRequests } from "./rest-request.ts";

type Row = Record<string, unknown>;

const jsonQueries = new WeakSet<QueryId>();

/** Lets PostgreSQL itself write every row as JSON, as PostgREST does, instead of the driver's JavaScript values. */
export class JsonRowsDialect extends PostgresJSDialect {
  override createQueryCompiler(): PostgresQueryCompiler {
    return new JsonRowsCompiler();
  }
}

class JsonRowsCompiler extends PostgresQueryCompiler {
  override compileQuery(node: RootOperationNode, queryId: QueryId): CompiledQuery {
    const query = super.compileQuery(node, queryId);
    const request = restRequests.getStore();
    const wrapped = request && wrap(node, query.sql, request);
    if (wrapped === undefined) return query;
    jsonQueries.add(queryId);
    return { ...query, sql: wrapped };
  }
}

function wrap(node: RootOperationNode, sql: string, { csv, stripNulls }: RestRequest): string | undefined {
  const row = stripNulls ? "json_strip_nulls(row_to_json(_row))" : "row_to_json(_row)";
  // The text of a record, without its parentheses, is a line of CSV.
  const line = csv ? `, substr(_row::text, 2, length(_row::text) - 2) as csv` : "";
  const select = `select ${row}::text as row${line} from`;
  if (node.kind === "SelectQueryNode") return `${select} (${sql}) as _row`;
  if ("returning" in node && node.returning) return `with _row as (${sql}) ${select} _row`;
  return undefined;
}

/** Reads those rows, and mends what lite does otherwise than PostgREST with a query and its rows. */
export function jsonRows(request: RestRequest): KyselyPlugin {
  return {
    transformQuery: ({ node }) => rowsAsOne(updateKeysToo(node), request),
    async transformResult({ queryId, result }) {
      if (!jsonQueries.has(queryId)) return result;
      const rows = result.rows as { row: string; csv?: string }[];
      request.csvRows = rows.map(({ csv = "" }) => csv);
      forgetFilterOfUpdate(request);
      return { ...result, rows: rows.map(({ row }) => keepJsonStrings(parseExact(row) as Row, request)) };
    },
  };
}

// As PostgREST hands them over: a statement has at most 65,535 parameters, and a value each is soon more.
function rowsAsOne(node: RootOperationNode, { rows }: RestRequest): RootOperationNode {
  if (node.kind !== "InsertQueryNode" || rows === undefined || !node.columns || !node.into) return node;
  const between = node.columns.map((_column, i) => (i === 0 ? "select " : ", "));
  const values = RawNode.create(
    [...between, " from json_populate_recordset(null::", ", ", "::json)"],
    [...node.columns, node.into, ValueNode.create(rows)],
  );
  return { ...node, values };
}

// PostgREST's upsert sets every column of the payload, the key's as well, and so asks for their grants.
function updateKeysToo(node: RootOperationNode): RootOperationNode {
  if (node.kind !== "InsertQueryNode" || !node.onConflict?.updates || !node.columns) return node;
  const updates = node.columns.map((column) =>
    ColumnUpdateNode.create(column, RawNode.create(["excluded.", ""], [column])),
  );
  return { ...node, onConflict: OnConflictNode.cloneWith(node.onConflict, { updates }) };
}

// After an update lite reads the rows again by key *and* by the filter, which the new values may no longer meet.
function forgetFilterOfUpdate({ ast }: RestRequest): void {
  if (ast?.type !== "update" || !ast.where) return;
  for (const key of Object.keys(ast.where)) delete ast.where[key];
}

/** A JSON string that lite must not take for JSON text. */
class JsonString {
  readonly value: string;

  constructor(value: string) {
    this.value = value;
  }

  toString(): string {
    return this.value;
  }

  toJSON(): string {
    return this.value;
  }
}

// lite parses what `column->key` gives once more: the string "1.0" would become a number.
function keepJsonStrings(record: Row, { ast }: RestRequest): Row {
  if (!ast?.select) return record;
  for (const entry of ast.select) {
    if (typeof entry === "string") continue;
    for (const [key, column] of Object.entries(entry)) {
      const value = record[key];
      if (column.path && !column.pathText && typeof value === "string") record[key] = new JsonString(value);
    }
  }
  return record;
}
