import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import { cliEnvironment } from "../../src/stack/postgres/migrations.ts";
import { repository } from "../../src/stack/repository.ts";

// https://supabase.com/docs/guides/database/database-advisors
test("the platform's advisors find nothing at WARN or above, but for one procedure that commits", async () => {
  const { stdout } = await promisify(execFile)(
    repository("node_modules/.bin/supabase"),
    ["db", "advisors", `--remote=${inject("project").databaseUrl}`, "--level=warn", "--output-format=json"],
    { cwd: repository(), env: cliEnvironment },
  );
  const { results } = JSON.parse(stdout) as { results: { level: string; detail: string }[] };
  const found = results.filter(({ level }) => level === "WARN" || level === "ERROR");
  // A procedure that commits can have no search_path of its own. It names all it uses with the schema.
  expect(found.map(({ detail }) => detail)).toEqual([
    "Function `private.decide` has a role mutable search_path",
  ]);
});
