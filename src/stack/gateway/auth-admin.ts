import { randomBytes, randomUUID } from "node:crypto";
import bcrypt from "bcryptjs";
import { sql } from "kysely";
import type { Fields } from "./auth-body.ts";
import { type Db, findUser, findUserByEmail, type UserRow, userJson } from "./auth-database.ts";
import { AuthError, emailExists, userNotFound, validationFailed } from "./auth-errors.ts";
import { type AuthCall, applyEmail } from "./auth-flows.ts";
import { actionLink, makeToken, type OneTimeToken, sendMail, tokenHash } from "./auth-mail.ts";
import { isUuid } from "./auth-sessions.ts";
import { json } from "./replies.ts";

/** GoTrue's administration of users, which lite has none of. The caller has been found to be an administrator. */
export async function answerAdmin(call: AuthCall): Promise<Response> {
  const { request, path } = call;
  const id = /^\/admin\/users\/([^/]+)$/.exec(path)?.[1];
  const key = `${request.method} ${id === undefined ? path : "/admin/users/:id"}`;
  if (key === "GET /admin/users") return listUsers(call);
  if (key === "POST /admin/users") return json(200, await userJson(call.db, await createUser(call)));
  if (key === "POST /invite") return inviteUser(call);
  if (key === "POST /admin/generate_link") return generateLink(call);
  if (id !== undefined && ["GET", "PUT", "DELETE"].includes(request.method)) {
    if (!isUuid(id)) throw new AuthError(404, "validation_failed", "user_id must be an UUID");
    const user = await findUser(call.db, id);
    if (!user) throw userNotFound();
    if (request.method === "PUT") return updateUser(call, user);
    if (request.method === "DELETE") return deleteUser(call, user);
    return json(200, await userJson(call.db, user));
  }
  return new Response("404 page not found\n", {
    status: 404,
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
}

async function listUsers({ db, url }: AuthCall): Promise<Response> {
  const page = Math.max(1, readCount(url, "page", 1));
  const perPage = readCount(url, "per_page", 50);
  if (perPage === 0) throw validationFailed("Bad Pagination Parameters: per_page must be greater than 0");
  const filter = url.searchParams.get("filter") ?? "";
  const matches = sql`${filter} = '' or email like '%' || ${filter} || '%'
    or raw_user_meta_data ->> 'full_name' ilike '%' || ${filter} || '%'`;
  const total = await sql<{ total: number }>`
    select count(*)::int as total from auth.users where ${matches}`.execute(db);
  const { rows } = await sql<UserRow>`
    select * from auth.users where ${matches}
    order by created_at desc, id limit ${perPage} offset ${(page - 1) * perPage}`.execute(db);
  const users = [];
  for (const user of rows) users.push(await userJson(db, user));

  const count = total.rows[0]?.total ?? 0;
  const last = Math.ceil(count / perPage);
  const link = (to: number, rel: string) => {
    const query = new URLSearchParams(url.searchParams);
    query.set("page", String(to));
    query.sort();
    return `</admin/users?${query}>; rel="${rel}"`;
  };
  const links = [...(last > page ? [link(page + 1, "next")] : []), link(last, "last")];
  return json(
    200,
    { users, aud: "authenticated" },
    { link: links.join(", "), "x-total-count": String(count) },
  );
}

function readCount(url: URL, name: string, otherwise: number): number {
  const text = url.searchParams.get(name) ?? "";
  if (text === "") return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw validationFailed(
    `Bad Pagination Parameters: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

async function createUser({ db, fields = {}, settings }: AuthCall): Promise<UserRow> {
  const email = readEmail(fields, "email");
  const phone = text(fields, "phone").replace(/^\+/, "");
  if (!email && !phone) throw validationFailed("Cannot create a user without either an email or phone");
  if (email && (await findUserByEmail(db, email))) throw emailExists();
  if (phone) await requireNewPhone(db, phone);
  const id = readId(fields);
  if (await findUser(db, id)) throw validationFailed("A user with this id has already been registered");
  const hash = text(fields, "password_hash");
  const password = text(fields, "password");
  if (hash && password) throw validationFailed("Only a password or a password hash should be provided");
  if (password) requireStrong(password, settings.minimumPasswordLength ?? 6);
  const providers = [...(email ? ["email"] : []), ...(phone ? ["phone"] : [])];
  const metadata = { provider: providers[0], providers, ...withoutNulls(fields["app_metadata"]) };
  await sql`
    insert into auth.users (
      instance_id, id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
      raw_app_meta_data, raw_user_meta_data, banned_until, created_at, updated_at
    ) values (
      '00000000-0000-0000-0000-000000000000', ${id}, ${text(fields, "aud") || "authenticated"},
      ${text(fields, "role") || "authenticated"}, ${email || null}, ${phone || null},
      ${hash || (await hashPassword(password || randomBytes(32).toString("hex")))},
      ${fields["email_confirm"] === true ? sql`now()` : null},
      ${fields["phone_confirm"] === true ? sql`now()` : null},
      ${JSON.stringify(metadata)}::jsonb,
      ${JSON.stringify(withoutNulls(userMetadata(fields)))}::jsonb,
      ${bannedUntil(fields) ?? null}, now(), now()
    )`.execute(db);
  for (const provider of providers) {
    const claims = {
      sub: id,
      [provider]: provider === "email" ? email : phone,
      email_verified: false,
      phone_verified: false,
    };
    await sql`
      insert into auth.identities (provider, provider_id, user_id, identity_data, last_sign_in_at, created_at, updated_at)
      values (${provider}, ${id}, ${id}, ${JSON.stringify(claims)}::jsonb, now(), now(), now())`.execute(db);
  }
  return existing(await findUser(db, id));
}

async function updateUser({ db, fields = {}, settings }: AuthCall, user: UserRow): Promise<Response> {
  const email = readEmail(fields, "email");
  const phone = text(fields, "phone").replace(/^\+/, "");
  const password = text(fields, "password");
  const ban = bannedUntil(fields);
  if (typeof fields["password"] === "string") requireStrong(password, settings.minimumPasswordLength ?? 6);
  if (email && email !== user.email) {
    if (await findUserByEmail(db, email)) throw emailExists();
    await applyEmail(db, user, email, fields["email_confirm"] === true);
  }
  if (phone && phone !== user.phone) await requireNewPhone(db, phone);
  await sql`
    update auth.users set
      role = coalesce(nullif(${text(fields, "role")}, ''), role),
      phone = coalesce(nullif(${phone}, ''), phone),
      encrypted_password = coalesce(${password ? await hashPassword(password) : null}, encrypted_password),
      email_confirmed_at = coalesce(email_confirmed_at, ${fields["email_confirm"] === true ? sql`now()` : null}),
      phone_confirmed_at = coalesce(phone_confirmed_at, ${fields["phone_confirm"] === true ? sql`now()` : null}),
      raw_app_meta_data = ${merged("raw_app_meta_data", fields["app_metadata"])},
      raw_user_meta_data = ${merged("raw_user_meta_data", userMetadata(fields))},
      banned_until = ${ban === undefined ? sql`banned_until` : sql`${ban}::timestamptz`},
      updated_at = now()
    where id = ${user.id}`.execute(db);
  if (password) await sql`delete from auth.sessions where user_id = ${user.id}`.execute(db);
  return json(200, await userJson(db, existing(await findUser(db, user.id))));
}

async function deleteUser({ db, fields = {} }: AuthCall, { id, email, phone }: UserRow): Promise<Response> {
  if (fields["should_soft_delete"] !== true) {
    await sql`delete from auth.refresh_tokens where user_id = ${id}`.execute(db);
    await sql`delete from auth.users where id = ${id}`.execute(db);
    return json(200, {});
  }
  const obscured = (value: string | null) => (value ? tokenHash(id, value) : value);
  await sql`
    update auth.users set email = ${obscured(email)}, phone = ${obscured(phone)}, encrypted_password = '',
      confirmation_token = '', recovery_token = '', email_change = '', email_change_token_new = '',
      email_change_token_current = '', raw_app_meta_data = '{}', raw_user_meta_data = '{}', deleted_at = now()
    where id = ${id} and deleted_at is null`.execute(db);
  await sql`update auth.identities set identity_data = '{}', provider_id = ${obscured(id)} where user_id = ${id}`.execute(
    db,
  );
  await sql`delete from auth.sessions where user_id = ${id}`.execute(db);
  return json(200, {});
}

async function inviteUser(call: AuthCall): Promise<Response> {
  const { db, fields = {} } = call;
  const email = readEmail(fields, "email");
  if (!email) throw validationFailed("An email address is required");
  const user = await invited(call, email, fields["data"]);
  sendMail(email, "invite", await makeToken(db, user, "confirmation"));
  return json(200, await userJson(db, existing(await findUser(db, user.id))));
}

async function invited(call: AuthCall, email: string, data: unknown): Promise<UserRow> {
  const { db } = call;
  const known = await findUserByEmail(db, email);
  if (known?.confirmed_at) throw emailExists();
  const user = known ?? (await createUser({ ...call, fields: { email, user_metadata: data } }));
  await sql`
    update auth.users set invited_at = now(), encrypted_password = coalesce(${known ? null : ""}, encrypted_password)
    where id = ${user.id}`.execute(db);
  return user;
}

async function generateLink(call: AuthCall): Promise<Response> {
  const { db, fields = {}, outbox } = call;
  const email = readEmail(fields, "email");
  if (!email) throw validationFailed("Unable to validate email address: invalid format");
  const asked = text(fields, "type");
  if (text(fields, "redirect_to")) outbox.redirectTo = text(fields, "redirect_to");
  const known = await findUserByEmail(db, email);
  // A magic link for an address without an account is a sign-up.
  const type = asked === "magiclink" && !known ? "signup" : asked;
  let user: UserRow;
  let made: OneTimeToken;
  if (type === "magiclink" || type === "recovery") {
    if (!known) throw new AuthError(404, "user_not_found", "User with this email not found");
    user = known;
    made = await makeToken(db, user, "recovery");
  } else if (type === "signup" || type === "invite") {
    if (known?.confirmed_at) throw emailExists();
    if (asked === "signup" && !text(fields, "password"))
      throw validationFailed("Signup requires a valid password");
    const create = { ...fields, id: undefined, user_metadata: fields["data"] };
    user =
      type === "invite"
        ? await invited(call, email, fields["data"])
        : (known ?? (await createUser({ ...call, fields: create })));
    made = await makeToken(db, user, "confirmation");
  } else {
    throw validationFailed(`Invalid email action link type requested: ${asked}`);
  }
  return json(200, {
    ...(await userJson(db, existing(await findUser(db, user.id)))),
    action_link: actionLink(outbox, type, made.hash),
    email_otp: made.token,
    hashed_token: made.hash,
    verification_type: type,
    redirect_to: outbox.redirectTo,
  });
}

// The same variable sets the cost of the hashes that lite makes.
const hashPassword = (password: string): Promise<string> =>
  bcrypt.hash(password, Number(process.env["LITE_AUTH_BCRYPT_COST"] ?? 10));

function requireStrong(password: string, minimum: number): void {
  if (Buffer.byteLength(password) > 72)
    throw validationFailed("Password cannot be longer than 72 characters");
  if (password.length >= minimum) return;
  const message = `Password should be at least ${minimum} characters.`;
  throw new AuthError(422, "weak_password", message, { weak_password: { reasons: ["length"] } });
}

function readEmail(fields: Fields, name: string): string {
  const email = text(fields, name).toLowerCase();
  if (email && !/^[^\s@]+@[^\s@.]+(\.[^\s@.]+)*$/.test(email)) {
    throw validationFailed("Unable to validate email address: invalid format");
  }
  return email;
}

async function requireNewPhone(db: Db, phone: string): Promise<void> {
  if (!/^[1-9]\d{1,14}$/.test(phone)) throw validationFailed("Invalid phone number format (E.164 required)");
  const { rows } = await sql`select 1 from auth.users where phone = ${phone}`.execute(db);
  if (rows.length > 0)
    throw new AuthError(422, "phone_exists", "Phone number already registered by another user");
}

function readId(fields: Fields): string {
  const id = text(fields, "id");
  if (!id) return randomUUID();
  if (!isUuid(id)) throw validationFailed("ID must conform to the uuid v4 format");
  if (/^[0-]+$/.test(id)) throw validationFailed("ID cannot be a nil uuid");
  return id.toLowerCase();
}

/** When a ban ends; null lifts it; undefined leaves it. The duration is written as Go writes one: `1h30m`. */
function bannedUntil(fields: Fields): string | null | undefined {
  const duration = text(fields, "ban_duration");
  if (duration === "") return undefined;
  if (duration === "none") return null;
  const parts = [...duration.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  const whole = parts.map(([part]) => part).join("");
  if (duration !== "0" && (parts.length === 0 || whole !== duration)) {
    throw validationFailed(
      `invalid format for ban duration: time: invalid duration ${JSON.stringify(duration)}`,
    );
  }
  const ms = parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (MILLISECONDS[unit ?? ""] ?? 0),
    0,
  );
  const until = Date.now() + ms;
  if (until > MAX_TIME)
    throw validationFailed(
      `invalid format for ban duration: time: invalid duration ${JSON.stringify(duration)}`,
    );
  return new Date(until).toISOString();
}

const MILLISECONDS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 36e5 };
// A Go duration holds at most about 292 years.
const MAX_TIME = Date.now() + 292 * 365.25 * 24 * 36e5;

const text = (fields: Fields, name: string): string => {
  const value = fields[name];
  return typeof value === "string" ? value : "";
};

function userMetadata(fields: Fields): object {
  return {
    ...(fields["user_metadata"] as object | undefined),
    ...(fields["email_confirm"] === true && { email_verified: true }),
  };
}

/** Metadata is merged key by key; null takes a key away. */
function merged(column: string, patch: unknown) {
  const current = sql.id(column);
  if (patch === null || typeof patch !== "object") return current;
  const removed = Object.entries(patch).filter(([, value]) => value === null);
  const keys = JSON.stringify(removed.map(([key]) => key));
  return sql`(coalesce(${current}, '{}') || ${JSON.stringify(withoutNulls(patch))}::jsonb)
    - array(select jsonb_array_elements_text(${keys}::jsonb))`;
}

function withoutNulls(value: unknown): Record<string, unknown> {
  if (value === null || typeof value !== "object") return {};
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== null));
}

function existing(user: UserRow | undefined): UserRow {
  if (!user) throw userNotFound();
  return user;
}
