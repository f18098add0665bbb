import path from "node:path";
import { freePort } from "../ports.ts";
import { createScratch } from "../scratch.ts";
import { pushMigrations } from "./migrations.ts";
import { type PostgresServer, startPostgres } from "./server.ts";

/**
 * Lends a database with all migrations applied, and nothing else in it, for as long as `work` takes. What it
 * commits is not waited for to be on disk, unless it is `durable`. What it starts beside, and tells `onProcess` of, ends
 * with this process too.
 */
export async function withThrowawayDatabase<T>(
  work: (server: PostgresServer, onProcess: (pid: number) => void) => Promise<T>,
  { durable = false } = {},
): Promise<T> {
  const { folder, onProcess, remove } = createScratch();
  let server: PostgresServer | undefined;
  try {
    const directory = path.join(folder, "postgres");
    server = await startPostgres({ directory, port: await freePort(), durable, onProcess });
    await pushMigrations(server.url("postgres"));
    return await work(server, onProcess);
  } finally {
    await server?.stop();
    await remove();
  }
}
