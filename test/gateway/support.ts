import path from "node:path";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { afterAll, beforeAll, describe } from "vitest";
import {
  type AuthSettings,
  type FunctionHost,
  type Gateway,
  type Mail,
  startGateway,
} from "../../src/stack/gateway/gateway.ts";
import { createKeys, type ProjectKeys } from "../../src/stack/keys.ts";
import { freePort } from "../../src/stack/ports.ts";
import { startPostgres } from "../../src/stack/postgres/server.ts";
import { createScratch } from "../../src/stack/scratch.ts";

/** Cheap password hashes: their strength is not under test. */
process.env["LITE_AUTH_BCRYPT_COST"] = "4";

/** A project under test: a real one when the environment names it, else one started for the test file. */
export interface Project {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** As the hosted `postgres` role. */
  sql: postgres.Sql;
  /** Absent for a real project: its signing key is not ours. */
  local: { keys: ProjectKeys; mails: Mail[]; superuser: postgres.Sql } | undefined;
}

export interface LocalSettings {
  /** Run as `postgres` before the gateway starts, on the local project only. */
  schema?: string;
  auth?: Partial<AuthSettings>;
  functions?: FunctionHost;
}

const real = process.env["SUPABASE_URL"];

/** Tests that need the project's signing key or mailbox: skipped loudly against a real project. */
export const describeLocal = real ? describe.skip : describe;
if (real)
  console.warn(`Running against ${real}: tests that need the local signing key or mailbox are skipped.`);

/** SQL that makes what a file's tests need, and SQL that drops it, if it is there. */
interface Fixture {
  create: string;
  drop: string;
}

/** Starts the project before the file's tests. */
export function useProject(fixture?: Fixture, settings: LocalSettings = {}): Project {
  const project = {} as Project;
  let stop = async () => {};
  beforeAll(async () => {
    const started = real ? connect(real) : await startLocal(settings);
    Object.assign(project, started.project);
    stop = started.stop;
    if (!fixture) return;
    await project.sql.unsafe(`${fixture.drop}${fixture.create};\nnotify pgrst, 'reload schema';`);
    await schemaIsLoaded(project);
  });
  afterAll(async () => {
    if (real && fixture) await project.sql.unsafe(`${fixture.drop}notify pgrst, 'reload schema';`);
    await stop();
  });
  return project;
}

function connect(url: string): { project: Project; stop(): Promise<void> } {
  const need = (name: string) => {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is needed beside SUPABASE_URL.`);
    return value;
  };
  const sql = postgres(need("SUPABASE_DB_URL"), { max: 2, onnotice() {} });
  const [publishableKey, secretKey] = [need("SUPABASE_PUBLISHABLE_KEY"), need("SUPABASE_SECRET_KEY")];
  return { project: { url, publishableKey, secretKey, sql, local: undefined }, stop: () => sql.end() };
}

async function startLocal({ schema, auth, functions }: LocalSettings) {
  const { folder, onProcess, remove } = createScratch();
  const server = await startPostgres({
    directory: path.join(folder, "postgres"),
    port: await freePort(),
    durable: false,
    onProcess,
  });
  const sql = postgres(server.url("postgres"), { max: 2, onnotice() {} });
  const superuser = postgres(server.url("supabase_admin"), { max: 1, onnotice() {} });
  let gateway: Gateway | undefined;
  const stop = async () => {
    await gateway?.close();
    await Promise.all([sql.end(), superuser.end()]);
    await server.stop();
    await remove();
  };
  try {
    if (schema) await sql.unsafe(schema);
    const mails: Mail[] = [];
    const keys = await createKeys();
    gateway = await startGateway({
      port: 0,
      databaseUrl: server.url,
      keys,
      functions,
      auth: { siteUrl: "http://localhost:3000", ...auth },
      onMail: (mail) => mails.push(mail),
    });
    const { publishableKey, secretKey } = keys;
    const local = { keys, mails, superuser };
    const project: Project = { url: gateway.url, publishableKey, secretKey, sql, local };
    return { project, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

// The API learns of new tables by a notification: wait until it has.
async function schemaIsLoaded({ url, secretKey, sql }: Project): Promise<void> {
  const marker = `contract_marker_${Date.now()}`;
  await sql.unsafe(`
    create function public.${marker}() returns int language sql as 'select 1';
    grant execute on function public.${marker}() to service_role;
    notify pgrst, 'reload schema';`);
  try {
    for (let attempt = 0; attempt < 200; attempt++) {
      const answer = await fetch(`${url}/rest/v1/rpc/${marker}`, {
        method: "POST",
        headers: { apikey: secretKey },
      });
      if (answer.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    throw new Error("The API did not reload its schema.");
  } finally {
    await sql.unsafe(`drop function public.${marker}()`);
  }
}

const stateless = { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } };

export const anonClient = ({ url, publishableKey }: Project): SupabaseClient =>
  createClient(url, publishableKey, stateless);

export const adminClient = ({ url, secretKey }: Project): SupabaseClient =>
  createClient(url, secretKey, stateless);

let counter = 0;
export const newEmail = (): string => `contract-${Date.now()}-${process.pid}-${counter++}@example.com`;
export const PASSWORD = "correct horse battery";

/** A confirmed user with a client that is signed in. */
export async function signedInUser(
  project: Project,
): Promise<{ client: SupabaseClient; id: string; email: string; token: string }> {
  const email = newEmail();
  const created = await adminClient(project).auth.admin.createUser({
    email,
    password: PASSWORD,
    email_confirm: true,
  });
  if (created.error) throw created.error;
  const client = anonClient(project);
  const { data, error } = await client.auth.signInWithPassword({ email, password: PASSWORD });
  if (error) throw error;
  return { client, id: created.data.user.id, email, token: data.session.access_token };
}

export interface RawAnswer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape are looked into.
  json: any;
}

/** A request as bytes, with the publishable key unless `headers` say otherwise. */
export async function raw(
  project: Project,
  target: string,
  {
    method = "GET",
    headers = {},
    body,
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<RawAnswer> {
  const response = await fetch(project.url + target, {
    method,
    headers: {
      ...("apikey" in headers ? {} : { apikey: project.publishableKey }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
    redirect: "manual",
  });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}
