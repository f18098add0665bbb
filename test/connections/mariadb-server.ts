import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { freePort } from "../../src/stack/ports.ts";
import { createScratch } from "../../src/stack/scratch.ts";
import { makeCertificate } from "../support/certificates.ts";

/** Whether this machine has MariaDB, as Debian's package `mariadb-server` brings it. */
export const hasMariadb = spawnSync("mariadbd", ["--version"], { stdio: "ignore" }).status === 0;

/** A real MariaDB that speaks TLS by a certificate for db.test. */
export async function startMariadb() {
  const { folder, onProcess, remove } = createScratch();
  const data = path.join(folder, "data");
  mkdirSync(data);
  const authority = makeCertificate({ subject: "Nectar test authority", authority: true });
  const identity = makeCertificate({ subject: "db.test", names: ["db.test"], issuer: authority });
  const files = { ca: authority.cert, cert: identity.cert, key: identity.key };
  for (const [name, pem] of Object.entries(files)) {
    writeFileSync(path.join(folder, `${name}.pem`), pem, { mode: 0o600 });
  }
  const asRoot = process.getuid?.() === 0;
  if (asRoot) {
    const uid = Number(execFileSync("id", ["-u", "mysql"]));
    for (const name of ["", "data", "ca.pem", "cert.pem", "key.pem"]) {
      chownSync(path.join(folder, name), uid, statSync(folder).gid);
    }
  }
  // Not everybody may write to the system's folder for temporary files.
  const env = { ...process.env, TMPDIR: folder };
  const user = asRoot ? ["--user=mysql"] : [];
  execFileSync(
    "mariadb-install-db",
    ["--no-defaults", `--datadir=${data}`, "--auth-root-authentication-method=normal", ...user],
    { stdio: "ignore", env },
  );
  const port = await freePort();
  const server = spawn(
    "mariadbd",
    [
      ...[
        "--no-defaults",
        `--datadir=${data}`,
        `--port=${port}`,
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        ...user,
      ],
      ...[`--socket=${path.join(folder, "socket")}`, "--innodb-flush-log-at-trx-commit=0"],
      ...["ca", "cert", "key"].map((name) => `--ssl-${name}=${path.join(folder, `${name}.pem`)}`),
    ],
    { stdio: "ignore", env },
  );
  if (server.pid) onProcess(server.pid);
  const admin = await connect(port);
  return {
    port,
    ca: authority.cert,
    admin,
    /** Connections of the engines that the server has now. */
    sessions: async () => {
      const [rows] = await admin.query(
        "select count(*) as count from information_schema.processlist where user = 'shopkeeper'",
      );
      return Number((rows as { count: number }[])[0]?.count);
    },
    stop: async () => {
      await admin.end();
      server.kill();
      await once(server, "exit");
      await remove();
    },
  };

  async function connect(port: number) {
    for (let tries = 0; ; tries++) {
      try {
        return await mysql.createConnection({
          host: "127.0.0.1",
          port,
          user: "root",
          multipleStatements: true,
        });
      } catch (error) {
        if (tries === 1000 || server.exitCode !== null) throw error;
        await sleep(50);
      }
    }
  }
}
