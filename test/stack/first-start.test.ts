import { statSync } from "node:fs";
import path from "node:path";
import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { expect, test } from "vitest";
import {
  copyOfRepository,
  leavesNothing,
  organizationsOf,
  type Started,
  start,
  temporaryFolder,
} from "./support.ts";

const root = copyOfRepository(undefined, "all");

async function inDatabase<T>({ databasePort }: Started, query: string): Promise<T[]> {
  const sql = postgres(`postgresql://postgres:postgres@127.0.0.1:${databasePort}/postgres`, { max: 1 });
  try {
    return (await sql.unsafe(query)) as unknown as T[];
  } finally {
    await sql.end();
  }
}

/** Asks the stand-in, as its key allows anybody on this machine. */
async function callStripe(url: string, path: string, method = "GET"): Promise<{ id: string }> {
  const headers = { authorization: "Bearer sk_test_standin" };
  const response = await fetch(`${url}/v1/${path}`, { method, headers });
  return (await response.json()) as { id: string };
}

test("a start shows what a newcomer needs, a second one keeps it, --reset starts anew", async () => {
  const data = path.join(temporaryFolder(), "data");
  const first = await start({ root, data });
  const keys = await first.ready();
  expect(statSync(path.join(data, "keys.json")).mode & 0o777).toBe(0o600);
  expect(first.output()).toMatch(
    /PostgreSQL.*\n.*Migrations.*\n.*MongoDB.*\n.*Stripe.*\n.*Functions.*\n.*Gateway.*\n.*Plans/,
  );
  expect(first.output()).toContain(first.url);
  expect(
    first
      .output()
      .split("\n")
      .filter((line) => line.length > 80),
  ).toEqual([]);
  expect(await organizationsOf(first.url, keys.publishableKey, "ada@example.com")).toEqual([
    "Analytical Engines",
  ]);
  expect(await organizationsOf(first.url, keys.publishableKey, "grace@example.com")).toEqual([
    "Analytical Engines",
    "Compiler Works",
  ]);
  expect((await fetch(`${first.url}/functions/v1/health`)).status).toBe(200);
  const [, stripe = ""] = /Stripe +(\S+), a stand-in/.exec(first.output()) ?? [];
  const bought = await callStripe(stripe, "customers", "POST");
  expect(bought).toMatchObject({ object: "customer" });
  const jwks = await (await fetch(`${first.url}/auth/v1/.well-known/jwks.json`)).text();
  expect(jwks).not.toContain('"d"');
  const [role] = await inDatabase<{ rolsuper: boolean }>(
    first,
    "select rolsuper from pg_roles where rolname = current_user",
  );
  expect(role?.rolsuper).toBe(false);

  const admin = createClient(first.url, keys.secretKey, { auth: { persistSession: false } });
  const newcomer = await admin.auth.admin.createUser({ email: "new@example.com", password: "correct horse" });
  expect(newcomer.error).toBeNull();
  const history = "select version from supabase_migrations.schema_migrations order by 1";
  const applied = await inDatabase(first, history);
  for (let times = 0; times < 3; times++) first.interrupt(); // npm passes on what the terminal has sent already
  expect(await first.exited).toBe(0);
  expect(await leavesNothing(first)).toEqual([]);

  const second = await start({ root, data });
  expect(await second.ready()).toEqual(keys);
  const [, again = ""] = /Stripe +(\S+), a stand-in/.exec(second.output()) ?? [];
  expect(await callStripe(again, `customers/${bought.id}`)).toEqual(bought);
  expect(await inDatabase(second, history)).toEqual(applied);
  expect(await inDatabase(second, "select name from public.organizations order by 1")).toHaveLength(2);
  expect(
    await inDatabase(second, "select email from auth.users where email = 'new@example.com'"),
  ).toHaveLength(1);
  expect(await (await fetch(`${second.url}/auth/v1/.well-known/jwks.json`)).text()).toBe(jwks);
  second.kill("SIGTERM");
  expect(await second.exited).toBe(0);
  expect(await leavesNothing(second)).toEqual([]);

  const third = await start({ root, data, args: ["--reset"] });
  expect(await third.ready()).toEqual(keys);
  expect(third.output()).toContain("a new cluster");
  expect(await inDatabase(third, "select email from auth.users order by 1")).toEqual([
    { email: "ada@example.com" },
    { email: "grace@example.com" },
  ]);
  third.kill("SIGHUP"); // the terminal is closed
  expect(await third.exited).toBe(0);
  expect(await leavesNothing(third)).toEqual([]);
});

test("--help and an unknown flag", async () => {
  const help = await start({ root, args: ["--help"] });
  expect(await help.exited).toBe(0);
  expect(help.output()).toContain("NECTAR_PORT");
  const wrong = await start({ root, args: ["--rest"] });
  expect(await wrong.exited).toBe(1);
  expect(wrong.output()).toMatch(/✗ Unknown option '--rest'\n/);
  expect(wrong.output()).not.toContain("    at ");
});
