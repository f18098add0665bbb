import { AsyncLocalStorage } from "node:async_hooks";
import { createPostgresConnection, type PostgresConnection } from "@supabase/lite/postgres";
import { type Kysely, sql, type Transaction } from "kysely";
import { rfc3339Times, textualJson } from "./driver-types.ts";
import { endPools } from "./end-pools.ts";

export type Db = Transaction<unknown>;

const transactions = new AsyncLocalStorage<Db>();

/** The auth server's own connection, as `supabase_auth_admin`. */
export interface AuthDatabase {
  /** To be given to lite: inside {@link transaction} all that it does is part of it. */
  connection: PostgresConnection;
  /** Runs one request's work; a throw undoes it. */
  transaction<T>(work: (db: Db) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function openAuthDatabase(url: string): AuthDatabase {
  const types = { ...textualJson, ...rfc3339Times };
  const connection = createPostgresConnection({ url, postgresOptions: { max: 5, onnotice() {}, types } });
  (connection as unknown as { rlsState: string }).rlsState = "active";
  const pool = connection.kysely as Kysely<unknown>;
  Object.defineProperty(connection, "kysely", { get: () => transactions.getStore() ?? pool });
  connection.runInTransaction = (work) => work(connection.kysely);
  return {
    connection,
    transaction: (work) => pool.transaction().execute((db) => transactions.run(db, () => work(db))),
    close: () => endPools(connection.driver),
  };
}

export interface UserRow {
  id: string;
  aud: string | null;
  role: string | null;
  email: string | null;
  phone: string | null;
  encrypted_password: string | null;
  email_confirmed_at: string | null;
  phone_confirmed_at: string | null;
  confirmed_at: string | null;
  invited_at: string | null;
  confirmation_sent_at: string | null;
  recovery_sent_at: string | null;
  email_change: string | null;
  email_change_sent_at: string | null;
  reauthentication_sent_at: string | null;
  last_sign_in_at: string | null;
  raw_app_meta_data: Record<string, unknown> | null;
  raw_user_meta_data: Record<string, unknown> | null;
  created_at: string;
  updated_at: string;
  banned_until: string | null;
  deleted_at: string | null;
  is_anonymous: boolean;
}

export async function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return (await sql<UserRow>`select * from auth.users where id = ${id}`.execute(db)).rows[0];
}

export async function findUserByEmail(db: Db, email: string): Promise<UserRow | undefined> {
  const query = sql<UserRow>`select * from auth.users where email = ${email} and not is_sso_user`;
  return (await query.execute(db)).rows[0];
}

export const isBanned = ({ banned_until }: UserRow): boolean =>
  banned_until !== null && Date.parse(banned_until) > Date.now();

/** A user as GoTrue writes it. */
export async function userJson(db: Db, user: UserRow): Promise<Record<string, unknown>> {
  const identities = await sql<Record<string, unknown>>`
    select id as identity_id, provider_id as id, user_id, identity_data, provider, last_sign_in_at, created_at,
      updated_at, email
    from auth.identities where user_id = ${user.id} order by created_at`.execute(db);
  const set = (name: string, value: unknown) => (value === null || value === "" ? {} : { [name]: value });
  return {
    id: user.id,
    aud: user.aud ?? "",
    role: user.role ?? "",
    email: user.email ?? "",
    ...set("email_confirmed_at", user.email_confirmed_at),
    ...set("invited_at", user.invited_at),
    phone: user.phone ?? "",
    ...set("phone_confirmed_at", user.phone_confirmed_at),
    ...set("confirmation_sent_at", user.confirmation_sent_at),
    ...set("confirmed_at", user.confirmed_at),
    ...set("recovery_sent_at", user.recovery_sent_at),
    ...set("new_email", user.email_change),
    ...set("email_change_sent_at", user.email_change_sent_at),
    ...set("reauthentication_sent_at", user.reauthentication_sent_at),
    ...set("last_sign_in_at", user.last_sign_in_at),
    app_metadata: user.raw_app_meta_data ?? {},
    user_metadata: user.raw_user_meta_data ?? {},
    identities: identities.rows,
    created_at: user.created_at,
    updated_at: user.updated_at,
    ...set("banned_until", user.banned_until),
    ...set("deleted_at", user.deleted_at),
    is_anonymous: user.is_anonymous,
  };
}
