import { type AnyAST, fuzzyMatch, type IntrospectResult } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import { Kysely, sql } from "kysely";
import postgres from "postgres";
import { textLiterals, textualJson } from "./driver-types.ts";
import { databaseErrorResponse } from "./postgrest-errors.ts";
import { postgrestError } from "./replies.ts";
import { unmark } from "./rest-filters.ts";
import { type RestRequest, restRequests } from "./rest-request.ts";
import { JsonRowsDialect, jsonRows } from "./rest-rows.ts";
import { exactValues, type WriteAst } from "./rest-values.ts";

function currentRequest(): RestRequest {
  const request = restRequests.getStore();
  if (!request) throw new Error("A REST query ran outside a request.");
  return request;
}

const MOST_READS = 20;

class Rollback extends Error {
  readonly response: Response;

  constructor(response: Response) {
    super("rollback");
    this.response = response;
  }
}

/**
 * lite's connection with what PostgREST does otherwise: the pool logs in as `authenticator`, every request is one
 * transaction under the role of its token, and an error answer undoes it. The schema is read over `schema`.
 */
export class RestConnection extends PostgresConnection {
  readonly #schema: PostgresConnection;
  #loading: Promise<IntrospectResult> | undefined;
  #timezones = new Set<string>();
  #roleSettings = new Map<string, Record<string, string>>();

  constructor(url: string, schema: PostgresConnection) {
    super({ url, postgresOptions: { max: 10, onnotice() {}, types: { ...textualJson, ...textLiterals } } });
    this.kysely = new Kysely({ dialect: new JsonRowsDialect({ postgres: this.driver }) });
    this.#schema = schema;
    // Otherwise the first request would grant everything to the API roles.
    (this as unknown as { rlsState: string }).rlsState = "active";
  }

  // information_schema shows a role only what it may use, and `authenticator` may use nothing.
  override introspect(): Promise<IntrospectResult> {
    this.#loading ??= this.#load().catch((error) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  /** Forgets the schema: the next request reads it anew. */
  reloadSchema(): void {
    this.#loading = undefined;
  }

  async #load(): Promise<IntrospectResult> {
    for (let reads = 1; reads <= MOST_READS; reads++) {
      const [schema, settings] = await Promise.all([
        this.#schema.introspect({ useCache: false }),
        readRoleSettings(this.#schema.kysely),
      ]);
      // What was dropped while it was read makes lite give an empty schema, which has not even time zones.
      if (!schema.timezones) continue;
      this.#roleSettings = settings;
      this.#timezones = new Set(schema.timezones);
      return schema;
    }
    throw new Error("The schema cannot be read.");
  }

  override async onPostgrestAST(ast: AnyAST): Promise<AnyAST> {
    const request = currentRequest();
    const { values, args, ...rest } = ast as WriteAst;
    const marked = {
      ...unmark(rest),
      ...(values !== undefined && { values }),
      ...(args !== undefined && { args }),
    };
    const schema = await this.introspect();
    request.ast = marked;
    requireRelation(marked, schema);
    request.ast = exactValues(marked, request, schema);
    return request.ast as AnyAST;
  }

  // Errors of the database never come here: this is a request that lite could not read, or has no answer to.
  override normalizeDbError(error: unknown): never {
    // hono answers with it; anything else it would print to the terminal first.
    throw Object.assign(new Error("refused"), { getResponse: () => unreadable(error) });
  }

  override async withContext<T>(_vars: unknown, run: (db: Kysely<unknown>) => Promise<T>): Promise<T> {
    const request = currentRequest();
    try {
      return await (this.kysely as Kysely<unknown>).transaction().execute(async (trx) => {
        await this.#enter(trx, request);
        const result = await run(trx.withPlugin(jsonRows(request)));
        if (result instanceof Response && result.status >= 400) throw new Rollback(result);
        return result;
      });
    } catch (error) {
      const anonymous = request.claims.role === "anon";
      const response =
        error instanceof Rollback
          ? error.response
          : databaseErrorResponse(withRelation(error, request.ast), anonymous);
      if (!response) throw error;
      return response as T;
    }
  }

  // An unknown zone is no error: the preference is not applied.
  #timezone(headers: Headers): Record<string, string> {
    const zone = /(?:^|[,\s])timezone=([\w+\-/]+)/.exec(headers.get("prefer") ?? "")?.[1];
    return zone && this.#timezones.has(zone) ? { timezone: zone } : {};
  }

  async #enter(trx: Kysely<unknown>, { claims, method, path, headers, ast }: RestRequest): Promise<void> {
    if (method === "GET" || method === "HEAD") await sql`set transaction read only`.execute(trx);
    const cookies = Object.fromEntries(
      (headers.get("cookie") ?? "").split(/;\s*/).flatMap((pair) => {
        const at = pair.indexOf("=");
        return at > 0 ? [[pair.slice(0, at), pair.slice(at + 1)]] : [];
      }),
    );
    const settings: Record<string, string> = {
      search_path: `"${(ast?.schema ?? "public").replaceAll('"', '""')}", "public", "extensions"`,
      ...this.#roleSettings.get(claims.role),
      ...this.#timezone(headers),
      "request.jwt.claims": JSON.stringify(claims),
      "request.method": method,
      "request.path": path,
      "request.headers": JSON.stringify(Object.fromEntries(headers)),
      "request.cookies": JSON.stringify(cookies),
      "response.status": "",
      "response.headers": "",
      role: claims.role,
    };
    const calls = Object.entries(settings).map(([name, value]) => sql`set_config(${name}, ${value}, true)`);
    await sql`select ${sql.join(calls)}`.execute(trx);
  }
}

function requireRelation({ from, schema = "public" }: WriteAst, { tables, views }: IntrospectResult): void {
  if (from === undefined) return;
  const names = [...tables, ...views].filter((table) => table.schema === schema).map((table) => table.name);
  if (names.includes(from)) return;
  const similar = fuzzyMatch(from, names);
  throw new UnknownRelation(
    postgrestError(404, {
      code: "PGRST205",
      message: `Could not find the table '${schema}.${from}' in the schema cache`,
      hint: similar ? `Perhaps you meant the table '${schema}.${similar}'` : null,
    }),
  );
}

class UnknownRelation extends Rollback {}

function unreadable(error: unknown): Response {
  if (error instanceof Rollback) return error.response;
  if ((error as { code?: string }).code === "42703") {
    return postgrestError(400, { code: "42703", message: (error as Error).message });
  }
  // A plain Error is lite's parser speaking; any other kind would speak of its code.
  const plain = error instanceof Error && error.constructor === Error;
  const message = plain ? error.message : "The request could not be parsed";
  return postgrestError(400, { code: "PGRST100", message, details: plain ? message : null });
}

// PostgREST qualifies the columns of its queries, lite does not.
function withRelation(error: unknown, ast: WriteAst | undefined): unknown {
  if (!(error instanceof postgres.PostgresError) || error.code !== "42703" || !ast?.from) return error;
  error.message = error.message.replace(
    /^column "([^"]+)" does not exist$/,
    `column ${ast.from}.$1 does not exist`,
  );
  return error;
}

// PostgREST applies a role's settings (`alter role … set`) when it takes the role on.
async function readRoleSettings(db: Kysely<unknown>): Promise<Map<string, Record<string, string>>> {
  const { rows } = await sql<{ role: string; name: string; value: string }>`
    select r.rolname as role, split_part(c.setting, '=', 1) as name,
      substr(c.setting, strpos(c.setting, '=') + 1) as value
    from pg_db_role_setting s
    join pg_roles r on r.oid = s.setrole
    cross join unnest(s.setconfig) as c (setting)
    join pg_settings p on p.name = split_part(c.setting, '=', 1) and p.context = 'user'
    where s.setdatabase = 0 and r.rolname in ('anon', 'authenticated', 'service_role')`.execute(db);
  const settings = new Map<string, Record<string, string>>();
  for (const { role, name, value } of rows) {
    settings.set(role, { ...settings.get(role), [name]: value });
  }
  return settings;
}
