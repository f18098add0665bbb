import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../src/stack/ports.ts";
import { repository } from "../src/stack/repository.ts";

test("without packages, or without what their scripts fetch, a command says what to do", () => {
  const clone = mkdtempSync(path.join(tmpdir(), "nectar-clone-"));
  try {
    cpSync(repository("src/installed.mjs"), path.join(clone, "src/installed.mjs"));
    const command = (...flags: string[]) =>
      spawnSync(process.execPath, [...flags, "--import", "./src/installed.mjs", "--eval", "console.log(1)"], {
        cwd: clone,
        encoding: "utf8",
      });
    expect(command()).toMatchObject({ status: 1, stderr: expect.stringContaining("Run `npm ci` first.") });

    mkdirSync(path.join(clone, "node_modules/supabase"), { recursive: true });
    expect(command()).toMatchObject({ status: 0, stdout: "1\n" });
    expect(command("--no-experimental-strip-types")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("npm ci --no-ignore-scripts"),
    });
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
});

test("a new migration comes after all others, whatever the clock says", () => {
  const clone = mkdtempSync(path.join(tmpdir(), "nectar-clone-"));
  try {
    const folder = path.join(clone, "supabase/migrations");
    mkdirSync(folder, { recursive: true });
    for (const file of ["db-new.ts", "repository.ts"])
      cpSync(repository("src/stack", file), path.join(clone, "src/stack", file));
    const command = (...names: string[]) =>
      spawnSync(process.execPath, [path.join(clone, "src/stack/db-new.ts"), ...names], { encoding: "utf8" });

    expect(command("first").status).toBe(0);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^20\d{12}_first\.sql$/)]);
    writeFileSync(path.join(folder, "29991231235959_ahead.sql"), "");
    expect(command("second").stdout).toBe("supabase/migrations/29991231235960_second.sql made.\n");
    for (const wrong of [[], ["../up"], ["two", "names"]]) {
      expect(command(...wrong)).toMatchObject({ status: 2, stderr: expect.stringContaining("db:new") });
    }
  } finally {
    rmSync(clone, { recursive: true, force: true });
  }
});

test("without a database that runs there is no difference to show, and that is said", async () => {
  const port = String(await freePort());
  const { status, stderr } = spawnSync(process.execPath, ["src/stack/db-diff.ts"], {
    cwd: repository(),
    env: { ...process.env, NECTAR_DB_PORT: port },
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([1, expect.stringMatching(`port ${port}\\..*npm start`)]);
});

test("a benchmark that is not there ends with what is there, as a flag does", () => {
  for (const wrong of ["nonsense", "toString", "--jason"]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["bench/bench.ts", wrong], {
      cwd: repository(),
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^No benchmark ${wrong}\\. There are: audit, `));
  }
});
