import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { Credentials } from "./api-keys.ts";
import { type Db, findUser, isBanned, type UserRow } from "./auth-database.ts";
import { AuthError, badJwt, refusedToken } from "./auth-errors.ts";
import type { TokenHook } from "./token-hook.ts";
import { type Claims, TokenError, type TokenKeys } from "./tokens.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isUuid = (text: string): boolean => UUID.test(text);

/** How a session came about, in GoTrue's words. */
export type AuthenticationMethod = "password" | "otp" | "oauth" | "token_refresh";

export interface Issuer {
  tokens: TokenKeys;
  /** `iss` of every token. */
  issuer: string;
  /** Life of an access token in seconds. */
  expiry: number;
  hook: TokenHook | undefined;
}

export interface IssuedToken {
  token: string;
  /** Seconds since the epoch. */
  expiresAt: number;
  user: UserRow;
}

/** Signs an access token for a session, with the claims of a hosted one as the token hook leaves them. */
export async function issueAccessToken(
  db: Db,
  { tokens, issuer, expiry, hook }: Issuer,
  { userId, sessionId, method }: { userId: string; sessionId: string; method: AuthenticationMethod },
): Promise<IssuedToken> {
  const user = await findUser(db, userId);
  if (!user || user.deleted_at) throw new AuthError(403, "user_not_found", "User not found");
  if (isBanned(user)) {
    const message = method === "token_refresh" ? "Invalid Refresh Token: User Banned" : "User is banned";
    throw new AuthError(400, "user_banned", message);
  }
  if (method !== "token_refresh") await noteMethod(db, sessionId, method);
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims: Claims = {
    iss: issuer,
    sub: user.id,
    aud: user.aud ?? "authenticated",
    exp: issuedAt + expiry,
    iat: issuedAt,
    email: user.email ?? "",
    phone: user.phone ?? "",
    app_metadata: user.raw_app_meta_data ?? {},
    user_metadata: user.raw_user_meta_data ?? {},
    role: user.role ?? "authenticated",
    aal: "aal1",
    amr: await methodsOf(db, sessionId),
    session_id: sessionId,
    is_anonymous: user.is_anonymous,
  };
  const final = hook ? await hook(db, { user_id: user.id, claims, authentication_method: method }) : claims;
  return { token: await tokens.sign(final), expiresAt: issuedAt + expiry, user };
}

async function noteMethod(db: Db, sessionId: string, method: AuthenticationMethod): Promise<void> {
  await sql`
    insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)
    values (${randomUUID()}, ${sessionId}, ${method}, now(), now())
    on conflict (session_id, authentication_method) do update set updated_at = excluded.updated_at`.execute(
    db,
  );
}

async function methodsOf(db: Db, sessionId: string): Promise<unknown[]> {
  const { rows } = await sql<{ method: string; timestamp: number }>`
    select authentication_method as method, floor(extract(epoch from updated_at))::int as timestamp
    from auth.mfa_amr_claims where session_id = ${sessionId} order by updated_at desc`.execute(db);
  return rows;
}

export interface SignedIn {
  userId: string;
  sessionId: string | undefined;
}

/** Who the bearer token speaks for. @throws AuthError */
export async function requireUser(db: Db, tokens: TokenKeys, credentials: Credentials): Promise<SignedIn> {
  const claims = await requireToken(tokens, credentials);
  if (!claims.sub) throw badJwt("invalid claim: missing sub claim");
  if (!isUuid(claims.sub)) throw new AuthError(400, "bad_jwt", "invalid claim: sub claim must be a UUID");
  const user = await findUser(db, claims.sub);
  if (!user) throw new AuthError(403, "user_not_found", "User from sub claim in JWT does not exist");
  const sessionId = claims.session_id;
  if (sessionId === undefined) return { userId: user.id, sessionId };
  const session = isUuid(sessionId)
    ? await sql`select 1 from auth.sessions where id = ${sessionId} and user_id = ${user.id}`.execute(db)
    : undefined;
  if (!session?.rows.length) {
    throw new AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist");
  }
  return { userId: user.id, sessionId };
}

/** Lets only the secret key, or a token of role service_role, pass. @throws AuthError */
export async function requireAdmin(tokens: TokenKeys, credentials: Credentials): Promise<void> {
  const { role } = await requireToken(tokens, credentials);
  if (role !== "service_role") throw new AuthError(403, "not_admin", "User not allowed");
}

// The platform's gateway puts a token of the API key's role in the place of a key that is sent as bearer.
async function requireToken(tokens: TokenKeys, { role, token, bearer }: Credentials): Promise<Claims> {
  if (bearer === undefined && role === "anon") {
    throw new AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token");
  }
  if (token === undefined) return { role };
  try {
    return await tokens.verify(token);
  } catch (error) {
    throw error instanceof TokenError ? refusedToken(error) : error;
  }
}
