import fs from "node:fs";
import path from "node:path";
import { StackFailure } from "../failure.ts";
import { commandOf, endProcesses, type Process, processOf } from "../processes.ts";

/** The server that holds a cluster, by its own note in it. */
export function postmaster(cluster: string): Process | undefined {
  const noted = processOf(Number(read(path.join(cluster, "postmaster.pid"))?.split("\n")[0]));
  if (!noted) return undefined;
  // After a crash, the noted id may be that of any other program by now.
  return commandOf(noted.pid)?.includes("postgres") === false ? undefined : noted;
}

/**
 * Makes sure that no server runs on the cluster: an orphan would answer on the port and hide that ours did not start.
 *
 * @throws {StackFailure} when one does, and is not known to be a server that was started on this cluster.
 */
export async function endOrphan(cluster: string): Promise<void> {
  const orphan = postmaster(cluster);
  if (orphan && !commandOf(orphan.pid)?.includes(cluster)) throw inUse(cluster, orphan);
  if (orphan) await endProcesses([orphan]);
  // PostgreSQL itself would take whatever has the noted id now for a server.
  fs.rmSync(path.join(cluster, "postmaster.pid"), { force: true });
}

export function refuseInUse(cluster: string): void {
  const holder = postmaster(cluster);
  if (holder) throw inUse(cluster, holder);
}

const inUse = (cluster: string, { pid }: Process) =>
  new StackFailure(`The database folder ${cluster} is in use by process ${pid}. Stop it first.`);

function read(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
