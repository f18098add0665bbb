import { readdirSync } from "node:fs";
import { beforeAll, beforeEach, expect, inject, test } from "vitest";
import { repository } from "../../src/stack/repository.ts";
import { sameMonth } from "../support/month.ts";
import { installPgtap, runTapFile } from "../support/pgtap.ts";

const { databaseUrl } = inject("project");
const files = readdirSync(repository("supabase/tests")).filter((name) => name.endsWith(".sql"));

beforeAll(() => installPgtap(databaseUrl));
beforeEach(() => sameMonth());

test.each(files)("%s", async (name) => {
  const { planned, passed, failures } = await runTapFile(databaseUrl, repository("supabase/tests", name));
  expect(failures, failures.join("\n")).toEqual([]);
  expect(passed).toBe(planned);
  expect(planned).toBeGreaterThan(0);
});
