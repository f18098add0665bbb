import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
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
