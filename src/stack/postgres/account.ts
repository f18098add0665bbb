import { execFileSync, spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import process from "node:process";
import { StackFailure } from "../failure.ts";

/** The account a server process runs under: PostgreSQL refuses to run as root. */
export interface Account {
  uid?: number;
  gid?: number;
}

/** As root, the owner of the cluster, or a `postgres` system user (created when missing); as anybody else, the caller. */
export function serverAccount(cluster: string): Account {
  if (process.getuid?.() !== 0) return {};
  const owner = statSync(cluster, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
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
    "PostgreSQL refuses to run as root, and a `postgres` user could not be created.\n" +
      "Create one, or run as an ordinary user.",
  );
}
