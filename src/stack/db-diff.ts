// `npm run db:diff`: what the running local database has that the migrations have not, as SQL.
import { spawnSync } from "node:child_process";
import { startOptions } from "./options.ts";
import { portProblem } from "./ports.ts";
import { cliEnvironment } from "./postgres/migrations.ts";
import { withThrowawayDatabase } from "./postgres/throwaway.ts";
import { repository } from "./repository.ts";

const { databasePort } = startOptions([]);
if (!(await portProblem(databasePort))) {
  console.error(
    `Nothing listens on port ${databasePort}. Type \`npm start\` in another terminal, or set NECTAR_DB_PORT.`,
  );
  process.exit(1);
}
const running = `postgresql://postgres:postgres@127.0.0.1:${databasePort}/postgres?sslmode=disable`;
process.exitCode = await withThrowawayDatabase(async (server) => {
  const args = [
    "db",
    "diff",
    "--from",
    server.url("postgres"),
    "--to",
    running,
    "--schema",
    "public,private",
  ];
  const { status, stdout } = spawnSync(repository("node_modules/.bin/supabase"), args, {
    cwd: repository(),
    env: cliEnvironment,
    stdio: ["inherit", "pipe", "inherit"],
    encoding: "utf8",
  });
  process.stdout.write(stdout);
  if (status === 0 && stdout.trim() === "") console.error("Nothing differs.");
  return status ?? 1;
});
