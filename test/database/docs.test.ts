import { readdirSync, readFileSync } from "node:fs";
import postgres from "postgres";
import { afterAll, expect, inject, test } from "vitest";
import { repository } from "../../src/stack/repository.ts";

const sql = postgres(inject("project").databaseUrl, { max: 1, onnotice: () => {} });
afterAll(() => sql.end());

const pages = readdirSync(repository("docs")).map((name) => readFileSync(repository("docs", name), "utf8"));
const statements = pages.flatMap((page) =>
  [...page.matchAll(/```sql\n([\s\S]+?)```|`((?:select [^`…]+ from|update \S+ set|notify \w+,)[^`]+)`/g)].map(
    ([, block, inline]) => block ?? inline ?? "",
  ),
);

test("the pages' SQL is found", () => expect(statements.length).toBeGreaterThan(5));

test.each(statements)("runs: %s", async (statement) => {
  const filled = statement.replaceAll(/'?…'?/g, "null").replaceAll("<organization id>", crypto.randomUUID());
  const rolledBack = sql.begin(async (transaction) => {
    await transaction.unsafe(filled);
    throw new Error("rolled back");
  });
  await expect(rolledBack).rejects.toThrow("rolled back");
});
