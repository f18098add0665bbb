import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { text } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import postgres, { type Sql } from "postgres";
import tar from "tar-stream";

/** What a pgTAP file said. */
export interface TapReport {
  planned: number;
  passed: number;
  /** Every failed test with its diagnostics, and what went wrong with the file as a whole. */
  failures: string[];
}

/** Runs one pgTAP file as psql would, on a connection of its own. */
export async function runTapFile(databaseUrl: string, file: string): Promise<TapReport> {
  const sql = postgres(databaseUrl, { max: 1, onnotice() {} });
  const lines: string[] = [];
  try {
    const results = await sql
      .unsafe(`set search_path = public, extensions;\n${await withIncludes(file)}`)
      .simple();
    for (const rows of results as unknown as Record<string, unknown>[][]) {
      for (const row of rows) lines.push(...String(Object.values(row)[0] ?? "").split("\n"));
    }
  } catch (error) {
    lines.push(`Bail out! ${(error as Error).message} ${(error as { where?: string }).where ?? ""}`);
  } finally {
    await sql.end();
  }
  return parseTap(lines);
}

/** Installs pgTAP in schema extensions, from the platform's own or from npm. */
export async function installPgtap(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice() {} });
  try {
    const [present] = await sql`select to_regproc('extensions.plan') is not null as yes`;
    if (present?.["yes"]) return;
    const [available] = await sql`select from pg_available_extensions where name = 'pgtap'`;
    if (available) await sql`create extension pgtap with schema extensions`;
    else await sql.begin((transaction) => loadFromNpm(transaction));
  } finally {
    await sql.end();
  }
}

async function loadFromNpm(sql: Pick<Sql, "unsafe">): Promise<void> {
  await sql.unsafe("set local search_path = extensions");
  await sql.unsafe(await npmScript()).simple();
}

async function npmScript(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite-pgtap");
  const archive = createReadStream(path.join(path.dirname(entry), "pgtap.tar.gz")).pipe(createGunzip());
  for await (const file of archive.pipe(tar.extract())) {
    if (file.header.name.endsWith("/extension/pgtap--1.3.5.sql")) return await text(file);
    file.resume();
  }
  throw new Error("pgtap--1.3.5.sql is not in @electric-sql/pglite-pgtap");
}

// psql's `\ir file`: the one meta-command the tests use.
async function withIncludes(file: string): Promise<string> {
  const parts = (await readFile(file, "utf8")).split(/^\\ir (\S+)$/m);
  const resolved = parts.map((part, index) =>
    index % 2 === 0 ? part : withIncludes(path.resolve(path.dirname(file), part)),
  );
  return (await Promise.all(resolved)).join("");
}

function parseTap(lines: string[]): TapReport {
  const report: TapReport = { planned: -1, passed: 0, failures: [] };
  for (const line of lines) {
    const plan = /^1\.\.(\d+)$/.exec(line);
    if (plan) report.planned = Number(plan[1]);
    else if (/^ok \d+/.test(line)) report.passed++;
    else if (/^(not ok|Bail out!)/.test(line)) report.failures.push(line);
    else if (line.startsWith("#") && report.failures.length > 0) report.failures.push(line);
  }
  const ran = lines.filter((line) => /^(not )?ok \d+/.test(line)).length;
  if (ran !== report.planned) report.failures.push(`planned ${report.planned} tests, ran ${ran}`);
  return report;
}
