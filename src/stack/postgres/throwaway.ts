import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../ports.ts";
import { pushMigrations } from "./migrations.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

/**
 * Lends a database with all migrations applied, and nothing else in it, for as long as `work` takes. What it
 * commits is not waited for to be on disk, unless it is `durable`.
 */
export async function withThrowawayDatabase<T>(
  work: (server: PostgresServer) => Promise<T>,
  { durable = false } = {},
): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), "nectar-"));
  const server = await startPostgres({
    directory: path.join(folder, "postgres"),
    port: await freePort(),
    durable,
  });
  try {
    await pushMigrations(server.url("postgres"));
    return await work(server);
  } finally {
    await server.stop();
    for (const used of [server.directory, folder]) rmSync(used, { recursive: true, force: true });
  }
}
