import { chownSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import postgres, { type Sql } from "postgres";
import { freePort } from "../../src/stack/ports.ts";
import { startPostgres } from "../../src/stack/postgres/server.ts";
import { createScratch } from "../../src/stack/scratch.ts";
import { makeCertificate } from "../support/certificates.ts";

/** A real PostgreSQL that speaks TLS by a certificate for db.test. */
export async function startPostgresWithTls() {
  const { folder, onProcess, remove } = createScratch();
  const server = await startPostgres({
    directory: path.join(folder, "postgres"),
    port: await freePort(),
    durable: false,
    onProcess,
  });
  const authority = makeCertificate({ subject: "Nectar test authority", authority: true });
  const identity = makeCertificate({ subject: "db.test", names: ["db.test"], issuer: authority });
  const { uid, gid } = statSync(server.directory);
  for (const [name, content] of [
    ["server.crt", identity.cert],
    ["server.key", identity.key],
  ] as const) {
    const file = path.join(server.directory, name);
    writeFileSync(file, content, { mode: 0o600 });
    chownSync(file, uid, gid);
  }
  const admin = postgres(server.url("supabase_admin"), { max: 1, onnotice() {} });
  await admin`alter system set ssl = on`;
  await admin`select pg_reload_conf()`;
  return {
    port: server.port,
    directory: server.directory,
    ca: authority.cert,
    admin,
    /** Runs `work` in another database of the same server. */
    inDatabase: async <T>(name: string, work: (sql: Sql) => Promise<T>): Promise<T> => {
      const url = new URL(server.url("supabase_admin"));
      url.pathname = `/${name}`;
      const sql = postgres(url.href, { max: 1, onnotice() {} });
      try {
        return await work(sql);
      } finally {
        await sql.end();
      }
    },
    /** Connections of the engines that the server has now. */
    sessions: async () => {
      const [row] = await admin`select count(*)::int as count from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`;
      return row?.["count"] as number;
    },
    stop: async () => {
      await admin.end();
      await server.stop();
      await remove();
    },
  };
}
