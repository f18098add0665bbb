import { AuthError, type SupabaseContext, type SupabaseEnv } from "@supabase/server";
import { withSupabase } from "@supabase/server/adapters/hono";
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { Database } from "../../types/database.ts";
import type { FunctionEnv } from "./app.ts";
import { AppError, type ErrorCode } from "./errors.ts";

/** What a handler finds in `c.var` behind `authenticate`. */
export interface Authenticated {
  Variables: { supabaseContext: SupabaseContext<Database> };
}

/** Instead of the platform's environment: for tests. */
type Keys = Partial<SupabaseEnv>;

const accepted = { user: "user", secret: "secret:*", none: "none" } as const;

/**
 * Lets a request pass when its caller is a signed-in user (`user`), a server with a secret key (`secret`), or
 * anybody (`none`: the handler authenticates, as a webhook does), and puts the caller's clients into
 * `c.var.supabaseContext`. Others get a 401.
 */
export function authenticate(mode: keyof typeof accepted, env?: Keys): MiddlewareHandler<Authenticated> {
  const verify = withSupabase<Database>({ auth: accepted[mode], ...(env && { env }) });
  return async (c, next) => {
    await verify(c, async () => {}).catch(refuse);
    // Only the auth server signs tokens, but it signs some for roles that are not a person's.
    if (mode === "user" && c.var.supabaseContext.userClaims?.role !== "authenticated") {
      throw new AppError("invalid_token");
    }
    await next();
  };
}

/**
 * Lets everybody pass, and recognizes a server by its secret key (see `isServer`). A key that is not the project's is a
 * 401: a caller with a mistyped key must not be taken for the public.
 */
export function recognizeServer(env?: Keys): MiddlewareHandler<FunctionEnv> {
  const verify = withSupabase<Database>({ auth: ["secret:*", "publishable:*"], ...(env && { env }) });
  return async (c, next) => {
    if (c.req.header("apikey")) {
      // The adapter's type promises a context to every handler; here it is there only with a key.
      await verify(c as unknown as Context<Authenticated>, async () => {}).catch(refuse);
    }
    await next();
  };
}

/** True when the request came with one of the project's secret keys. */
export function isServer(context: SupabaseContext<Database> | undefined): boolean {
  return context?.authMode === "secret";
}

const refusals: Record<string, ErrorCode> = {
  MISSING_CREDENTIALS: "missing_credentials",
  UNUSABLE_CREDENTIAL: "missing_credentials",
  INVALID_CREDENTIALS: "missing_credentials",
  INVALID_API_KEY: "invalid_api_key",
  INVALID_JWT: "invalid_token",
};

function refuse(error: unknown): never {
  const cause = error instanceof HTTPException ? error.cause : error;
  const code = cause instanceof AuthError ? refusals[cause.code] : undefined;
  throw code ? new AppError(code, { cause }) : error;
}
