import { sql } from "kysely";
import { StackFailure } from "../failure.ts";
import type { AuthDatabase, Db } from "./auth-database.ts";
import { AuthError } from "./auth-errors.ts";
import type { Claims } from "./tokens.ts";

const TIMEOUT_MS = 2000;

/** Completes the claims of a token, or refuses it by an AuthError. */
export type TokenHook = (db: Db, event: TokenEvent) => Promise<Claims>;

/** What the hook function is given. */
export interface TokenEvent {
  user_id: string;
  claims: Claims;
  authentication_method: string;
}

/**
 * The custom access token hook of `uri` (`pg-functions://postgres/<schema>/<function>`), called as
 * supabase_auth_admin in the transaction that issues the token.
 *
 * @throws StackFailure when there is no such function, or the auth server may not call it.
 */
export async function postgresHook(uri: string, database: AuthDatabase): Promise<TokenHook> {
  const [, schema, name] = /^pg-functions:\/\/[^/]+\/([^/]+)\/([^/]+)$/.exec(uri) ?? [];
  if (!schema || !name) {
    throw new StackFailure(
      `The token hook "${uri}" is not of the form pg-functions://postgres/<schema>/<function>.`,
    );
  }
  await requireCallable(database, schema, name);
  return async (db, event) => {
    const output = await call(db, schema, name, uri, event);
    const refusal = output["error"] as { http_code?: number; message?: string } | null | undefined;
    if (refusal?.message) throw new AuthError(httpStatus(refusal.http_code), undefined, refusal.message);
    const claims = (output["claims"] ?? {}) as Claims;
    requireClaims(claims);
    return claims;
  };
}

async function requireCallable(database: AuthDatabase, schema: string, name: string): Promise<void> {
  const { rows } = await database.transaction((db) =>
    sql<{ callable: boolean }>`
      select has_function_privilege(p.oid, 'execute') and has_schema_privilege(n.oid, 'usage') as callable
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = ${schema} and p.proname = ${name} and p.pronargs - p.pronargdefaults <= 1`.execute(
      db,
    ),
  );
  if (rows.length === 0) {
    throw new StackFailure(
      `The token hook ${schema}.${name} does not exist. Run the migrations, or take it out of supabase/config.toml.`,
    );
  }
  if (!rows[0]?.callable) {
    throw new StackFailure(
      `The token hook ${schema}.${name} may not be called by supabase_auth_admin. Grant it usage on the schema and execute on the function.`,
    );
  }
}

async function call(
  db: Db,
  schema: string,
  name: string,
  uri: string,
  event: TokenEvent,
): Promise<Record<string, unknown>> {
  try {
    await sql`set local statement_timeout to ${sql.lit(TIMEOUT_MS)}`.execute(db);
    const { rows } = await sql<{ output: Record<string, unknown> | null }>`
      select ${sql.id(schema, name)}(${JSON.stringify(event)}::jsonb) as output`.execute(db);
    await sql`set local statement_timeout to default`.execute(db);
    return rows[0]?.output ?? {};
  } catch (error) {
    console.error(`The token hook ${schema}.${name} failed: ${(error as Error).message}`);
    throw new AuthError(500, "unexpected_failure", `Error running hook URI: ${uri}`);
  }
}

const httpStatus = (code: number | undefined): number =>
  Number.isInteger(code) && code !== undefined && code >= 400 && code <= 599 ? code : 500;

const TYPES: Record<string, (value: unknown) => boolean> = {
  aud: (value) => typeof value === "string" || Array.isArray(value),
  exp: Number.isInteger,
  jti: isString,
  iat: Number.isInteger,
  iss: isString,
  nbf: Number.isInteger,
  sub: isString,
  email: isString,
  phone: isString,
  app_metadata: isObject,
  user_metadata: isObject,
  role: isString,
  aal: isString,
  amr: (value) => Array.isArray(value),
  session_id: isString,
};

const REQUIRED = ["aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous"];

function requireClaims(claims: Record<string, unknown>): void {
  const problems = [
    ...REQUIRED.filter((name) => !(name in claims)).map((name) => `(root): ${name} is required`),
    ...Object.entries(TYPES)
      .filter(([name, fits]) => name in claims && !fits(claims[name]))
      .map(([name]) => `${name}: Invalid type`),
  ];
  if (problems.length === 0) return;
  const list = problems.map((problem) => `- ${problem}\n`).join("");
  const message = `output claims do not conform to the expected schema: \n${list}`;
  throw new AuthError(500, "unexpected_failure", message);
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

function isObject(value: unknown): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
