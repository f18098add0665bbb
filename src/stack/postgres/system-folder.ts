// A clone below /root or a `mktemp -d` folder is closed to the account that root hands the server to. What that
// account needs then stands in a folder of root's that is open to it: the cluster, with a link to it where it was
// wanted, and a copy of the binaries.
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { processOf } from "../processes.ts";
import type { Account } from "./account.ts";
import { postmaster } from "./postmaster.ts";

const SYSTEM_FOLDER = "/var/lib/nectar";

/** The cluster's real folder: the wanted one, or the one in the system folder that stands in for it. */
export function clusterFolder(wanted: string, account: Account): string {
  fs.mkdirSync(path.dirname(wanted), { recursive: true });
  if (account.uid === undefined) return wanted;
  removeAbandoned();
  let cluster = standIn(wanted);
  if (!cluster) {
    if (fs.existsSync(wanted) || reaches(account, path.dirname(wanted))) return wanted;
    cluster = path.join(SYSTEM_FOLDER, `data-${randomUUID()}`, "cluster");
    fs.symlinkSync(cluster, wanted);
  }
  makeOpenFolder(path.dirname(cluster));
  fs.writeFileSync(path.join(path.dirname(cluster), "origin"), wanted);
  return cluster;
}

/** Removes a cluster, wherever it stands. */
export function removeClusterFolder(wanted: string): void {
  const cluster = standIn(wanted);
  if (cluster) fs.rmSync(path.dirname(cluster), { recursive: true, force: true });
  fs.rmSync(wanted, { recursive: true, force: true });
}

/** Where a cluster stands that may be there already. */
export const existingCluster = (wanted: string): string => standIn(wanted) ?? wanted;

function standIn(wanted: string): string | undefined {
  if (!fs.lstatSync(wanted, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined;
  const target = fs.readlinkSync(wanted);
  return target.startsWith(`${SYSTEM_FOLDER}/data-`) ? target : undefined;
}

/** A copy of `folder`, made once, that every account can get to. */
export function openCopy(folder: string, name: string): string {
  const copy = path.join(SYSTEM_FOLDER, name);
  if (fs.existsSync(copy)) return copy;
  makeOpenFolder(SYSTEM_FOLDER);
  const partial = `${copy}.partial-${process.pid}`;
  fs.cpSync(folder, partial, { recursive: true, verbatimSymlinks: true });
  spawnSync("chmod", ["-R", "a+rX", partial]);
  try {
    fs.renameSync(partial, copy);
  } catch {
    fs.rmSync(partial, { recursive: true, force: true }); // another start was faster
  }
  return copy;
}

function makeOpenFolder(folder: string): void {
  fs.mkdirSync(folder, { recursive: true });
  for (const each of [SYSTEM_FOLDER, folder]) fs.chmodSync(each, 0o755); // whatever the umask
}

const reaches = (account: Account, folder: string) =>
  spawnSync("test", ["-x", folder], { ...account, cwd: "/" }).status === 0;

// Clusters of clones and test folders that are gone, and copies that were cut off.
function removeAbandoned(): void {
  if (!fs.existsSync(SYSTEM_FOLDER)) return;
  for (const name of fs.readdirSync(SYSTEM_FOLDER)) {
    const folder = path.join(SYSTEM_FOLDER, name);
    if (isAbandonedCluster(folder) || isCutOffCopy(name)) fs.rmSync(folder, { recursive: true, force: true });
  }
}

function isAbandonedCluster(folder: string): boolean {
  const cluster = path.join(folder, "cluster");
  const note = path.join(folder, "origin");
  if (!fs.existsSync(note) || postmaster(cluster)) return false;
  const origin = fs.readFileSync(note, "utf8");
  if (standIn(origin) === cluster) return false;
  // A clone that is not there may be on a disk that is not there today.
  return (
    fs.existsSync(path.dirname(origin)) ||
    [tmpdir(), "/tmp", "/var/tmp"].some((temporary) => origin.startsWith(`${temporary}/`))
  );
}

function isCutOffCopy(name: string): boolean {
  const copier = /\.partial-(\d+)$/.exec(name)?.[1];
  return copier !== undefined && !processOf(Number(copier));
}
