import { readFileSync } from "node:fs";
import postgres from "postgres";
import { expect, inject, test } from "vitest";
import { repository } from "../../src/stack/repository.ts";

// A definer function acts with its owner's rights, past row security: each needs a reason that somebody can read.
test("docs/security.md gives a reason for every security definer function, and for no other", async () => {
  const sql = postgres(inject("project").databaseUrl, { max: 1 });
  const definers = await sql<{ name: string }[]>`
    select distinct format('%s.%s', nspname, proname) as name
    from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
    where prosecdef and nspname in ('public', 'private')
    order by name`;
  await sql.end();

  const documented = reasons();
  expect(Object.keys(documented).sort()).toEqual(definers.map(({ name }) => name).sort());
  for (const [name, reason] of Object.entries(documented)) {
    expect(reason.split(" ").length, name).toBeGreaterThan(5);
  }
});

/** The table below the heading: a function's name in its first column, the reason in its last. */
function reasons(): Record<string, string> {
  const text = readFileSync(repository("docs/security.md"), "utf8");
  const [, section = ""] = /^## Security definer functions$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(text) ?? [];
  const rows = section.matchAll(/^\| `(\w+\.\w+)` \|.*\| (.+) \|$/gm);
  return Object.fromEntries([...rows].map(([, name = "", reason = ""]) => [name, reason]));
}
