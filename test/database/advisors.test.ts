import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import { cliEnvironment } from "../../src/stack/postgres/migrations.ts";
import { repository } from "../../src/stack/repository.ts";

// https://supabase.com/docs/guides/database/database-advisors
test("the platform's advisors find nothing at WARN or above", async () => {
  const { stdout } = await promisify(execFile)(
    repository("node_modules/.bin/supabase"),
    ["db", "advisors", `--remote=${inject("project").databaseUrl}`, "--level=warn", "--output-format=json"],
    { cwd: repository(), env: cliEnvironment },
  );
  const found = JSON.parse(stdout) as unknown;
  expect(JSON.stringify(found)).not.toMatch(/"level":"(WARN|ERROR)"/);
});
