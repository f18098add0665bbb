import { App } from "@supabase/lite";
import { sql } from "kysely";
import type { LoginRole } from "../postgres/server.ts";
import type { Credentials } from "./api-keys.ts";
import { answerAdmin } from "./auth-admin.ts";
import { parseAuthBody } from "./auth-body.ts";
import { type Db, openAuthDatabase } from "./auth-database.ts";
import { AuthError, authErrorResponse, inApiVersion } from "./auth-errors.ts";
import { type AuthCall, afterLite, beforeLite } from "./auth-flows.ts";
import { type Mail, mailer, type Outbox, outboxes } from "./auth-mail.ts";
import { type Issuer, requireAdmin, requireUser } from "./auth-sessions.ts";
import { postgresHook } from "./token-hook.ts";
import type { TokenKeys } from "./tokens.ts";

export type { Mail } from "./auth-mail.ts";

/** `[auth]` of config.toml, as far as the gateway follows it. */
export interface AuthSettings {
  /** Where a mail's link leads when nothing else is asked for. */
  siteUrl: string;
  additionalRedirectUrls?: string[];
  /** Life of an access token in seconds; 3600 when absent. */
  jwtExpiry?: number;
  /** True (`enable_confirmations = false`, the default): an address counts as confirmed without a mail. */
  autoconfirm?: boolean;
  enableSignup?: boolean;
  /** 6 when absent. */
  minimumPasswordLength?: number;
  /** `uri` of `[auth.hook.custom_access_token]`: `pg-functions://postgres/<schema>/<function>`. */
  tokenHook?: string | undefined;
}

export interface AuthOptions {
  databaseUrl(role: LoginRole): string;
  tokens: TokenKeys;
  /** The gateway's URL. */
  url: string;
  settings: AuthSettings;
  /** Signs what lite issues, until it is signed anew. */
  internalSecret: string;
  onMail(mail: Mail): void;
}

export interface AuthServer {
  handle(
    request: Request,
    url: URL,
    body: Uint8Array,
    credentials: Credentials | undefined,
  ): Promise<Response>;
  close(): Promise<void>;
}

/** `/auth/v1`: lite's auth server, corrected to answer as GoTrue, with its administration. */
export async function startAuth(options: AuthOptions): Promise<AuthServer> {
  const { settings, tokens, url: gateway } = options;
  const database = openAuthDatabase(options.databaseUrl("supabase_auth_admin"));
  const close = () => database.close();
  try {
    const hook = settings.tokenHook ? await postgresHook(settings.tokenHook, database) : undefined;
    const expiry = settings.jwtExpiry ?? 3600;
    const issuer: Issuer = { tokens, issuer: `${gateway}/auth/v1`, expiry, hook };
    const app = liteAuth(options, database.connection);

    const respond = async (call: AuthCall, credentials: Credentials): Promise<Response> => {
      const { db, request, path } = call;
      if (path === "/invite" || path.startsWith("/admin/")) {
        await requireAdmin(tokens, credentials);
        return answerAdmin(call);
      }
      if (USER_PATHS.has(path)) call.signedIn = await requireUser(db, tokens, credentials);
      const own = await beforeLite(call);
      if (own) return own;
      const answer = await app.fetch(forLite(call), call as never);
      if (answer.status >= 500) {
        throw new AuthError(500, "unexpected_failure", DATABASE_ERRORS[path] ?? UNEXPECTED);
      }
      return afterLite(call, answer, issuer, request);
    };

    const handle: AuthServer["handle"] = async (request, url, body, credentials = NOBODY) => {
      const path = url.pathname.slice("/auth/v1".length);
      const redirectTo = url.searchParams.get("redirect_to") || settings.siteUrl;
      const outbox: Outbox = { url: gateway, redirectTo, sent: [] };
      let response: Response;
      try {
        const fields = parseAuthBody(request, body);
        const work = (db: Db) =>
          respond(
            { db, request, url: new URL(url), path, fields, settings, outbox, signedIn: undefined },
            credentials,
          );
        response = await outboxes.run(outbox, () => database.transaction(work));
        for (const mail of outbox.sent) options.onMail(mail);
      } catch (error) {
        response = failure(
          error,
          request,
          path,
          sameOrigin(redirectTo, settings.siteUrl) ? redirectTo : settings.siteUrl,
        );
      }
      return inApiVersion(request, response);
    };
    // Fails now rather than at the first request, if the auth tables are not there.
    await database.transaction((db) => sql`select from auth.sessions limit 0`.execute(db));
    return { handle, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const NOBODY: Credentials = { role: "anon", token: undefined, bearer: undefined };
const USER_PATHS = new Set(["/user", "/logout", "/reauthenticate"]);
const UNEXPECTED = "Unexpected failure, please check server logs for more information";
const DATABASE_ERRORS: Record<string, string> = {
  "/signup": "Database error saving new user",
  "/user": "Error updating user",
  "/token": "Database error querying schema",
};

function liteAuth({ settings, internalSecret }: AuthOptions, connection: App["connection"]): App {
  const app = new App({
    connection,
    api: { enabled: false },
    auth: {
      enabled: true,
      jwt_secret: internalSecret,
      jwt_expiry: settings.jwtExpiry ?? 3600,
      site_url: settings.siteUrl,
      additional_redirect_urls: settings.additionalRedirectUrls ?? [],
      enable_signup: settings.enableSignup ?? true,
      enable_refresh_token_rotation: true,
      minimum_password_length: settings.minimumPasswordLength ?? 6,
      email: { enable_signup: true, enable_confirmations: !(settings.autoconfirm ?? true) },
    },
    options: {
      server: {
        apiKeys: false,
        disableStudio: true,
        middlewares: [
          // The gateway has verified the token: lite is told whose it is.
          async (context, next) => {
            const { signedIn } = context.env as unknown as AuthCall;
            if (signedIn) {
              context.set("userId", signedIn.userId);
              context.set("sessionId", signedIn.sessionId as string);
            }
            await next();
          },
        ],
      },
    },
  });
  app._mailer = mailer;
  return app;
}

/** The request with the fields as corrected, and no credentials. */
function forLite({ request, url, fields }: AuthCall): Request {
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  headers.delete("apikey");
  url.searchParams.delete("apikey");
  headers.set("content-type", "application/json");
  const body =
    fields && request.method !== "GET" && request.method !== "HEAD" ? JSON.stringify(fields) : null;
  return new Request(url, { method: request.method, headers, body });
}

function sameOrigin(url: string, other: string): boolean {
  return URL.canParse(url) && URL.canParse(other) && new URL(url).origin === new URL(other).origin;
}

function failure(error: unknown, request: Request, path: string, redirectTo: string): Response {
  if (!(error instanceof AuthError)) console.error(error);
  const refusal = error instanceof AuthError ? error : new AuthError(500, "unexpected_failure", UNEXPECTED);
  if (path !== "/verify" || request.method !== "GET") return authErrorResponse(refusal);
  // A browser followed a mail's link.
  const fragment = new URLSearchParams({
    error: refusal.status >= 500 ? "server_error" : "access_denied",
    error_code: refusal.code ?? "unexpected_failure",
    error_description: refusal.message,
  });
  return new Response(null, { status: 303, headers: { location: `${redirectTo}#${fragment}` } });
}
