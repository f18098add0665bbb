import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
import postgres from "postgres";
import type { LoginRole } from "../postgres/server.ts";
import type { Credentials } from "./api-keys.ts";
import { endPools } from "./end-pools.ts";
import { parseExact } from "./exact-json.ts";
import { tokenErrorResponse } from "./postgrest-errors.ts";
import { postgrestError } from "./replies.ts";
import { RestConnection } from "./rest-connection.ts";
import { markFilters } from "./rest-filters.ts";
import { type RestRequest, restRequests } from "./rest-request.ts";
import { TokenError, type TokenKeys } from "./tokens.ts";

export interface RestOptions {
  databaseUrl(role: LoginRole): string;
  tokens: TokenKeys;
  /** Schemas that the API serves; the first is the default. */
  schemas: string[];
  /** Most rows in one answer. */
  maxRows: number;
}

export interface RestServer {
  handle(request: Request, url: URL, body: Uint8Array, credentials: Credentials): Promise<Response>;
  close(): Promise<void>;
}

/** `/rest/v1`: lite's REST server, corrected to answer as PostgREST. */
export async function startRest(options: RestOptions): Promise<RestServer> {
  const quiet = { max: 1, idle_timeout: 20, onnotice() {} };
  const catalog = createPostgresConnection({ url: options.databaseUrl("postgres"), postgresOptions: quiet });
  const connection = new RestConnection(options.databaseUrl("authenticator"), catalog);
  const app = new App({
    connection,
    api: { enabled: true, schemas: options.schemas, max_rows: options.maxRows },
    auth: { enabled: false },
    options: { server: { apiKeys: false, disableStudio: true } },
  });
  const listener = postgres(options.databaseUrl("authenticator"), { max: 1, onnotice() {} });
  const close = () => endPools(listener, connection.driver, catalog.driver);
  try {
    await listener.listen("pgrst", () => connection.reloadSchema());
    await connection.introspect();
  } catch (error) {
    await close();
    throw error;
  }
  return { handle: (...args) => handle(app, options, ...args), close };
}

async function handle(
  app: App,
  options: RestOptions,
  request: Request,
  url: URL,
  body: Uint8Array,
  { role, token }: Credentials,
): Promise<Response> {
  let claims: RestRequest["claims"] = { role };
  if (token !== undefined) {
    try {
      claims = { role: "anon", ...(await options.tokens.verify(token)) };
    } catch (error) {
      if (error instanceof TokenError) return tokenErrorResponse(error, token);
      throw error;
    }
    if (!API_ROLES.has(claims.role)) {
      return postgrestError(403, {
        code: "42501",
        message: `permission denied to set role "${claims.role}"`,
      });
    }
  }
  const parsed = parseBody(request, body, url.pathname.startsWith("/rest/v1/rpc/"));
  if (parsed instanceof Response) return parsed;
  const accept = request.headers.get("accept") ?? "*/*";
  const context: RestRequest = {
    claims,
    method: request.method,
    path: url.pathname.slice("/rest/v1".length),
    headers: request.headers,
    query: url.searchParams,
    body: parsed.value,
    csv: /^\s*text\/csv\b/i.test(accept),
    stripNulls: /;\s*nulls\s*=\s*stripped/i.test(accept),
    csvRows: [],
  };
  const response = await restRequests.run(context, () => app.fetch(forLite(request, url, body)));
  return correct(response, context);
}

const API_ROLES = new Set(["anon", "authenticated", "service_role"]);

function parseBody(request: Request, body: Uint8Array, isRpc: boolean): { value: unknown } | Response {
  const type = request.headers.get("content-type") ?? "";
  if (body.byteLength === 0 || (type !== "" && !/json/i.test(type))) return { value: undefined };
  try {
    const value = parseExact(new TextDecoder("utf-8", { fatal: true }).decode(body));
    if (isRpc || (typeof value === "object" && value !== null)) return { value };
  } catch {
    // Answered below.
  }
  return postgrestError(400, { code: "PGRST102", message: "Empty or invalid json" });
}

/** The request without what the gateway has dealt with already. */
function forLite(request: Request, url: URL, body: Uint8Array): Request {
  const target = new URL(url);
  target.search = String(markFilters(url.searchParams));
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  headers.delete("apikey");
  const accept = headers.get("accept");
  if (accept) headers.set("accept", accept.replace(/;\s*nulls\s*=\s*stripped/gi, ""));
  // The platform commits every request. What PostgREST estimates it counts, while there are few; lite asks the planner.
  const prefer = headers
    .get("prefer")
    ?.replace(/(^|,)\s*tx=\w+/g, "")
    .replace(ESTIMATED, "count=exact");
  if (prefer !== undefined) headers.set("prefer", prefer.replace(/^\s*,/, ""));
  // lite knows its root by GET alone; the gateway leaves the body out for HEAD.
  const method = url.pathname === "/rest/v1/" && request.method === "HEAD" ? "GET" : request.method;
  const hasBody = request.method !== "GET" && request.method !== "HEAD" && body.byteLength > 0;
  return new Request(target, {
    method,
    headers,
    body: hasBody ? new Uint8Array(body) : null,
  });
}

/** Where the answer is to be had again: lite would show the filters as they were marked. */
function placeOf({ path, query }: RestRequest): string {
  const asked = new URLSearchParams(query);
  asked.delete("apikey");
  asked.sort();
  return asked.size > 0 ? `${path}?${asked}` : path;
}

const ESTIMATED = /\bcount=estimated\b/;

async function correct(response: Response, context: RestRequest): Promise<Response> {
  const { csv, stripNulls, csvRows } = context;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  const applied = headers.get("preference-applied");
  if (applied && ESTIMATED.test(context.headers.get("prefer") ?? ""))
    headers.set("preference-applied", applied.replace("count=exact", "count=estimated"));
  if (headers.has("content-location")) headers.set("content-location", placeOf(context));
  const readable = response.ok && response.body;
  if (stripNulls && readable) {
    const type = headers.get("content-type") ?? "";
    const base = type.includes("pgrst.object")
      ? "application/vnd.pgrst.object+json"
      : "application/vnd.pgrst.array+json";
    headers.set("content-type", `${base};nulls=stripped; charset=utf-8`);
  }
  if (csv && readable && headers.get("content-type")?.startsWith("text/csv")) {
    const [header = ""] = (await response.text()).split("\n");
    const text = csvRows.length > 0 ? [header, ...csvRows].join("\n") : "";
    return new Response(text, { status: response.status, headers });
  }
  return new Response(response.body, { status: response.status, headers });
}
