import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { errorCodes } from "../functions/_shared/errors.ts";
import { repository } from "../src/stack/repository.ts";

const read = (file: string) => readFileSync(repository(file), "utf8");
const pages = ["README.md", ...readdirSync(repository("docs")).map((name) => `docs/${name}`)];
const operations = read("docs/operations.md");
const section = (title: string) => operations.split(`\n## ${title}\n`)[1]?.split("\n## ")[0] ?? "";
const rows = (text: string) => text.split("\n").filter((line) => line.startsWith("| "));

mkdirSync(repository(".nectar"), { recursive: true });
const folder = mkdtempSync(repository(".nectar/docs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As GitHub makes anchors of headings. */
const anchors = (file: string) =>
  [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\- _]/gu, "")
      .replaceAll(" ", "-"),
  );

test.each(pages)("%s: links and commands lead somewhere", (page) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  for (const [, target = ""] of read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
    const [file, anchor] = target.split("#");
    const leadsTo = file ? path.join(path.dirname(page), file) : page;
    expect(existsSync(repository(leadsTo)), target).toBe(true);
    if (anchor) expect(anchors(leadsTo), target).toContain(anchor);
  }
  for (const [, name = ""] of read(page).matchAll(/npm run ([\w:-]+)/g))
    expect(scripts).toHaveProperty([name]);
});

test("every error code of the functions is told, with its status, and no other", () => {
  const [ofFunctions = ""] = section("Errors").split("The database answers");
  const cells = rows(ofFunctions)
    .slice(2)
    .map((row) => row.split("|"));
  for (const [code, { status }] of Object.entries(errorCodes)) {
    const told = cells.filter(
      ([, codes = "", statuses = ""]) => codes.includes(`\`${code}\``) && statuses.includes(`${status}`),
    );
    expect(told, `${code}, ${status}`).toHaveLength(1);
  }
  const told = cells.flatMap(([, codes = ""]) => [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => code));
  expect(Object.keys(errorCodes)).toEqual(expect.arrayContaining(told));
});

test("every code of the database is told, but for values that break a rule", () => {
  for (const file of readdirSync(repository("supabase/migrations"))) {
    for (const [, code = ""] of read(`supabase/migrations/${file}`).matchAll(/hint = '(\w+)'/g))
      if (!code.startsWith("invalid_")) expect(section("Errors"), code).toContain(`\`${code}\``);
  }
});

test("every variable of the functions is told", () => {
  const [, variables = ""] = read("functions/_shared/env.ts").split("const variables = ");
  for (const [, name] of variables.matchAll(/^ {2}([A-Z_]+):/gm)) {
    expect(
      rows(section("Environment")).some((row) => row.includes(`\`${name}\``)),
      name,
    ).toBe(true);
  }
});

// What the snippets take for granted.
const granted = `
  import type { Hono } from "hono";
  import type { NectarClient } from "nectar/client";
  declare global {
    const nectar: NectarClient;
    const organization: { id: string }, connection: { id: string }, user: { id: string };
    const organizationId: string, connectionId: string, price_id: string, rows: unknown[], app: Hono;
    const createNectarClient: typeof import("nectar/client").createNectarClient;
    const createApiClient: typeof import("nectar/client").createApiClient;
    const createUsageReporter: typeof import("nectar/client").createUsageReporter;
    const toNectarError: typeof import("nectar/client").toNectarError;
    const decisions: import("../../functions/_shared/decisions.ts").Decisions;
    const withApiKey: typeof import("../../functions/_shared/api-key.ts").withApiKey;
    const createLeases: typeof import("../../functions/_shared/lease.ts").createLeases;
    const cache: ReturnType<typeof import("../../functions/_documents/cache-store.ts").createCacheStore>;
    const recordActivity: import("../../functions/_shared/activity.ts").RecordActivity;
    const workflow_id: string, workflow_version: number, parameters: Record<string, string>, cache_bytes: number;
    function run(...of: unknown[]): Promise<import("../../functions/_documents/cache-store.ts").CachedAnswer>;
    function show(what: unknown): void;
    function render(what: unknown): void;
    function suggestAnother(why?: string): void;
    function sleep(milliseconds: number): Promise<void>;
  }`;

test("every TypeScript snippet compiles, strictly, with the client as others install it", async () => {
  const sources = readdirSync(repository("src/client"), "utf8").map((name) => `src/client/${name}`);
  const snippets = [...pages, ...sources, "functions/_shared/api-key.ts"].flatMap((file) =>
    [...read(file).matchAll(/^( \*| {2,}\*|)[ ]*```ts\n([\s\S]*?)```/gm)].map(
      ([, margin = "", code = ""]) => ({
        file,
        code: margin ? code.replaceAll(/^ *\* ?/gm, "") : code,
      }),
    ),
  );
  expect(snippets.length).toBeGreaterThan(12);
  for (const [index, { file, code }] of snippets.entries()) {
    const [imports, rest] = [code.match(/^import .*$/gm) ?? [], code.replaceAll(/^import .*$/gm, "")];
    const body = `export async function snippet() {${rest}}\n`;
    writeFileSync(path.join(folder, `${index}.ts`), `// ${file}\n${imports.join("\n")}\n${body}`);
  }
  writeFileSync(path.join(folder, "granted.ts"), granted);
  const compilerOptions = {
    exactOptionalPropertyTypes: false,
    noPropertyAccessFromIndexSignature: false,
  };
  writeFileSync(
    path.join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, include: ["*.ts"] }),
  );
  const run = (cwd: string, ...parameters: string[]) =>
    promisify(execFile)(process.execPath, parameters, { cwd }).then(
      () => "",
      ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
    );
  const compile = (...flags: string[]) =>
    run(repository(), repository("node_modules/typescript/bin/tsc"), ...flags);
  const installed = path.join(folder, "node_modules/nectar");
  expect(await compile("-p", "tsconfig.client.json", "--outDir", installed)).toBe("");
  expect(await run(repository(), "src/generate/client-package.ts", installed)).toBe("");
  expect(await compile("-p", folder)).toBe("");
  expect(await run(folder, "--input-type=module", "--eval", 'await import("nectar/client")')).toBe("");
});
