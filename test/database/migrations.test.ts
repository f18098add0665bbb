import { readdirSync, readFileSync } from "node:fs";
import postgres from "postgres";
import { expect, inject, test } from "vitest";
import { constraintMessages } from "../../src/client/constraints.ts";
import { repository } from "../../src/stack/repository.ts";

const folder = repository("supabase/migrations");
const migrations = readdirSync(folder).sort();
const sqlOf = (name: string) => readFileSync(`${folder}/${name}`, "utf8").replace(/--.*$/gm, "");

test.each(migrations)("%s is safe on a live database", (name) => {
  const sql = sqlOf(name);
  expect(name).toMatch(/^\d{14}_[a-z_]+\.sql$/);
  // Waiting for a lock holds up everybody who comes after.
  expect(sql.trimStart()).toMatch(/^set (local )?lock_timeout = '5s';/);
  // Either would switch the file to autocommit, and a failure would leave half of it behind.
  expect(sql).not.toMatch(/^\s*(begin|commit|rollback)\s*;/im);
});

test("extensions are only made where they can be had", () => {
  const unguarded = migrations.filter((name) => /create extension (?!if not exists)/i.test(sqlOf(name)));
  expect(unguarded).toEqual([]);
});

test("every rule that clients can break has a sentence in the client", async () => {
  const sql = postgres(inject("project").databaseUrl, { max: 1 });
  const named = await sql<{ name: string }[]>`
    select distinct conname as name from pg_constraint
    where connamespace = 'public'::regnamespace and contype in ('c', 'u', 'p', 'f', 'x')
      -- not those that PostgreSQL named, after their table
      and not starts_with(conname, (select relname || '_' from pg_class where oid = conrelid))
    order by 1`;
  await sql.end();
  expect(named.map(({ name }) => name)).toEqual(Object.keys(constraintMessages).sort());
});
