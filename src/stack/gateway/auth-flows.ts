import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import type { AuthSettings } from "./auth.ts";
import type { Fields } from "./auth-body.ts";
import { type Db, findUser, findUserByEmail, type UserRow, userJson } from "./auth-database.ts";
import { AuthError, validationFailed } from "./auth-errors.ts";
import { makeToken, type Outbox, sendMail, tokenHash } from "./auth-mail.ts";
import { type AuthenticationMethod, type Issuer, issueAccessToken, type SignedIn } from "./auth-sessions.ts";
import { json } from "./replies.ts";
import { claimsOf } from "./tokens.ts";

/** One request to `/auth/v1`, inside its transaction. */
export interface AuthCall {
  db: Db;
  request: Request;
  url: URL;
  /** Below `/auth/v1`. */
  path: string;
  fields: Fields | undefined;
  settings: AuthSettings;
  outbox: Outbox;
  signedIn: SignedIn | undefined;
  /** Whether a code was asked for an address that had no account. */
  newcomer?: boolean;
}

/** Corrects a request before lite sees it, or answers it where lite cannot. */
export async function beforeLite(call: AuthCall): Promise<Response | undefined> {
  const { request, path, fields } = call;
  if (path === "/verify") await translateVerification(call);
  if (request.method === "POST" && path === "/signup") return repeatedSignup(call);
  if (request.method === "POST" && path === "/resend" && fields?.["type"] === "signup")
    return resendSignup(call);
  if (request.method === "POST" && (path === "/otp" || path === "/magiclink")) await noteNewcomer(call);
  if (request.method === "POST" && path === "/token") await lockRefreshToken(call);
  if (request.method === "PUT" && path === "/user") requirePassword(fields);
  return undefined;
}

/** Signs anew every token that lite has issued, and mends what lite did otherwise than GoTrue. */
export async function afterLite(
  call: AuthCall,
  answer: Response,
  issuer: Issuer,
  request: Request,
): Promise<Response> {
  const { db, path } = call;
  const location = answer.headers.get("location");
  if (location?.includes("access_token=")) return reissueRedirect(call, answer, location, issuer);
  if (!answer.ok)
    return path === "/verify" && request.method === "POST" ? wordVerification(call, answer) : answer;
  if (call.newcomer) await unconfirmNewcomer(call);
  if (path === "/user" && request.method === "PUT") await finishUpdate(call);
  if (!answer.headers.get("content-type")?.includes("json")) return answer;
  const body = (await answer.json()) as { access_token?: string; id?: string };
  const headers = new Headers(answer.headers);
  headers.delete("content-length");
  if (body.access_token) {
    const issued = await reissue(call, body.access_token, issuer);
    const user = await userJson(db, issued.user);
    const session = { ...body, access_token: issued.token, expires_at: issued.expiresAt, user };
    return new Response(JSON.stringify(session), { status: answer.status, headers });
  }
  if ((path === "/signup" || path === "/user") && body.id) {
    const user = await findUser(db, body.id);
    return new Response(JSON.stringify(user ? await userJson(db, user) : body), {
      status: answer.status,
      headers,
    });
  }
  return new Response(JSON.stringify(body), { status: answer.status, headers });
}

function reissue(call: AuthCall, internalToken: string, issuer: Issuer) {
  const { sub = "", session_id = "" } = claimsOf(internalToken);
  return issueAccessToken(call.db, issuer, { userId: sub, sessionId: session_id, method: methodOf(call) });
}

function methodOf({ path, url }: AuthCall): AuthenticationMethod {
  if (path === "/verify") return "otp";
  if (path === "/callback") return "oauth";
  const grant = url.searchParams.get("grant_type");
  if (path === "/token" && grant === "refresh_token") return "token_refresh";
  return path === "/token" && grant === "pkce" ? "oauth" : "password";
}

async function reissueRedirect(
  call: AuthCall,
  answer: Response,
  location: string,
  issuer: Issuer,
): Promise<Response> {
  const target = location.slice(0, location.indexOf("#"));
  const fragment = new URLSearchParams(location.slice(target.length + 1));
  const issued = await reissue(call, fragment.get("access_token") ?? "", issuer);
  fragment.set("access_token", issued.token);
  fragment.set("expires_at", String(issued.expiresAt));
  const asked = new URL(call.request.url).searchParams.get("type");
  if (asked) fragment.set("type", asked);
  return new Response(null, { status: answer.status, headers: { location: `${target}#${fragment}` } });
}

// lite knows neither `email`, which supabase-js sends for every code, nor `invite`.
async function translateVerification({ db, request, url, fields }: AuthCall): Promise<void> {
  const read = (name: string) => {
    const value = request.method === "GET" ? url.searchParams.get(name) : fields?.[name];
    return typeof value === "string" ? value : "";
  };
  const asked = read("type");
  if (asked !== "email" && asked !== "invite") return;
  const [email, token] = [read("email"), read("token")];
  const hash = read("token_hash") || (email ? tokenHash(email, token) : token);
  const { rows } = await sql`select 1 from auth.users where confirmation_token = ${hash}`.execute(db);
  const type = asked === "invite" || rows.length > 0 ? "signup" : "magiclink";
  if (request.method === "GET") url.searchParams.set("type", type);
  else if (fields) fields["type"] = type;
}

async function wordVerification({ fields }: AuthCall, answer: Response): Promise<Response> {
  const body = (await answer.clone().json()) as { error_code?: string };
  if (body.error_code !== "otp_expired" || !fields?.["email"]) return answer;
  const msg = "Token has expired or is invalid";
  return json(answer.status, { ...body, msg }, { "x-sb-error-code": "otp_expired" });
}

/** With confirmations, signing up again tells nobody whether the address has an account. */
async function repeatedSignup({ db, fields, settings }: AuthCall): Promise<Response | undefined> {
  const { email, password } = fields ?? {};
  if (settings.autoconfirm !== false || typeof email !== "string" || typeof password !== "string")
    return undefined;
  const user = await findUserByEmail(db, email.toLowerCase());
  if (!user) return undefined;
  if (user.confirmed_at === null) {
    sendMail(email.toLowerCase(), "signup", await makeToken(db, user, "confirmation"));
    return json(200, await userJson(db, (await findUser(db, user.id)) ?? user));
  }
  const now = new Date().toISOString();
  return json(200, {
    ...{ id: randomUUID(), aud: "authenticated", role: "", email: email.toLowerCase(), phone: "" },
    ...{ confirmation_sent_at: now, app_metadata: { provider: "email", providers: ["email"] } },
    ...{ user_metadata: fields?.["data"] ?? {}, identities: [], created_at: now, updated_at: now },
    is_anonymous: false,
  });
}

async function resendSignup({ db, fields }: AuthCall): Promise<Response> {
  const email = fields?.["email"];
  if (typeof email !== "string" || !email) throw validationFailed("Type provided requires an email address");
  const user = await findUserByEmail(db, email.toLowerCase());
  if (user?.confirmed_at === null)
    sendMail(email.toLowerCase(), "signup", await makeToken(db, user, "confirmation"));
  return json(200, {});
}

async function noteNewcomer(call: AuthCall): Promise<void> {
  const { db, fields, settings } = call;
  const email = fields?.["email"];
  if (typeof email !== "string") return;
  call.newcomer = !(await findUserByEmail(db, email.toLowerCase()));
  if (call.newcomer && settings.enableSignup === false) {
    throw new AuthError(422, "otp_disabled", "Signups not allowed for otp");
  }
}

// lite confirms the address and opens a session before the code has come back.
async function unconfirmNewcomer({ db, fields, settings, outbox }: AuthCall): Promise<void> {
  const user = await findUserByEmail(db, String(fields?.["email"]).toLowerCase());
  if (!user) return;
  const data = JSON.stringify(fields?.["data"] ?? {});
  await sql`delete from auth.sessions where user_id = ${user.id}`.execute(db);
  await sql`
    update auth.users set last_sign_in_at = null, raw_user_meta_data = raw_user_meta_data || ${data}::jsonb
    where id = ${user.id}`.execute(db);
  if (settings.autoconfirm !== false) return;
  await sql`
    update auth.users set email_confirmed_at = null, confirmation_token = recovery_token,
      confirmation_sent_at = recovery_sent_at, recovery_token = '', recovery_sent_at = null,
      raw_user_meta_data = raw_user_meta_data || '{"email_verified": false}'
    where id = ${user.id}`.execute(db);
  for (const mail of outbox.sent) {
    mail.type = "signup";
    mail.link = mail.link.replace("type=magiclink", "type=signup");
    mail.text = mail.text.replace("type=magiclink", "type=signup");
  }
}

// The second of two refreshes at a time waits, and is given what the first was.
async function lockRefreshToken({ db, fields }: AuthCall): Promise<void> {
  const token = fields?.["refresh_token"];
  if (typeof token !== "string") return;
  await sql`select 1 from auth.refresh_tokens where token = ${token} for update`.execute(db);
}

function requirePassword(fields: Fields | undefined): void {
  const password = fields?.["password"];
  if (typeof password === "string" && Buffer.byteLength(password) > 72) {
    throw validationFailed("Password cannot be longer than 72 characters");
  }
}

async function finishUpdate({ db, fields, settings, outbox, signedIn }: AuthCall): Promise<void> {
  const user = signedIn && (await findUser(db, signedIn.userId));
  if (!user) return;
  if (typeof fields?.["password"] === "string") {
    await sql`
      delete from auth.sessions
      where user_id = ${user.id} and id is distinct from ${signedIn?.sessionId ?? null}::uuid`.execute(db);
  }
  if (user.email_change && settings.autoconfirm !== false) {
    await applyEmail(db, user, user.email_change);
    outbox.sent.length = 0;
  }
}

/** Gives the user another address, which counts as confirmed. */
export async function applyEmail(db: Db, user: UserRow, email: string, verified = true): Promise<void> {
  await sql`
    update auth.users set email = ${email}, email_change = '', email_change_token_new = '',
      email_change_token_current = '', email_change_confirm_status = 0, recovery_token = '',
      confirmation_token = '', updated_at = now()
    where id = ${user.id}`.execute(db);
  const data = JSON.stringify({ email, email_verified: verified });
  await sql`
    insert into auth.identities (id, provider, provider_id, user_id, identity_data, created_at, updated_at)
    values (gen_random_uuid(), 'email', ${user.id}, ${user.id}, ${data}::jsonb || jsonb_build_object('sub', ${user.id}::text), now(), now())
    on conflict (provider_id, provider) do update
      set identity_data = identities.identity_data || ${data}::jsonb, updated_at = now()`.execute(db);
}
