import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { repository } from "../stack/repository.ts";
import { describeFunctions } from "./functions.ts";

interface Operation {
  operationId?: string;
  summary?: string;
  responses: Record<string, { content?: Record<string, { schema: { $ref?: string } }> }>;
}

const document = await describeFunctions(repository("functions"));
const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, Operation>).map(
    ([method, operation]) => [`${method} ${path}`, operation] as const,
  ),
);

test("the committed document and types match the functions", async () => {
  const script = repository("src/generate/functions.ts");
  await promisify(execFile)(process.execPath, [script, "--check"]);
});

test("every function is described", async () => {
  const entries = await readdir(repository("functions"), { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("_"))
    .map(({ name }) => name);
  const described = new Set(Object.keys(document.paths ?? {}).map((path) => path.split("/")[1]));
  expect([...described].sort()).toEqual(names.sort());
});

test.each(operations)("%s has a name, a summary, and the errors it may answer with", (_, operation) => {
  expect(operation.operationId).toMatch(/^[a-z]+[a-zA-Z]*$/);
  expect(operation.summary).toBeTruthy();
  const schemaOf = (status: string) =>
    operation.responses[status]?.content?.["application/json"]?.schema.$ref;
  expect(schemaOf("500")).toBe("#/components/schemas/Error");
  for (const status of Object.keys(operation.responses).filter((code) => code.startsWith("4"))) {
    expect(schemaOf(status)).toBe("#/components/schemas/Error");
  }
});
