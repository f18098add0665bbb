// Runs in Deno, as the function does, apart from the servers: prints the medians of each target as a line of JSON.
import process from "node:process";
import postgres from "postgres";
import { Connection, Request } from "tedious";
import { createAddressGuard } from "../functions/_shared/address-guard.ts";
import { engines } from "../functions/connections/engines/engines.ts";
import { detectRuntime } from "../functions/connections/runtime.ts";
import { createTester, type Target } from "../functions/connections/tester.ts";
import { sideBySide } from "./side-by-side.ts";

const { targets, rounds } = JSON.parse(process.argv[2] ?? "") as { targets: Target[]; rounds: number };
const tester = createTester({
  engines,
  guard: () => createAddressGuard({ allowedNetworks: ["127.0.0.0/8"] }),
  runtime: detectRuntime(),
});
const caller = new AbortController().signal;
for (const target of targets) {
  const bare = () => (target.engine === "mssql" ? bareTds(target) : barePostgres(target));
  const times = await sideBySide({ bare, test: () => tester.test(target, caller) }, rounds);
  console.log(JSON.stringify(times));
}

/** What anybody would write with the driver alone. */
function bareTds({ host, port, username, password, database_name, ca_certificate }: Target): Promise<void> {
  const connection = new Connection({
    server: host,
    authentication: { type: "default", options: { userName: username, password } },
    options: {
      ...(port !== null && { port }),
      database: database_name,
      encrypt: true,
      cryptoCredentialsDetails: { ...(ca_certificate !== null && { ca: ca_certificate }) },
    },
  });
  return new Promise((resolve, reject) => {
    connection.on("error", reject);
    connection.connect((failed) => {
      if (failed) return reject(failed);
      connection.execSqlBatch(
        new Request("select serverproperty('ProductVersion') as version", (error) => {
          connection.once("end", () => (error ? reject(error) : resolve()));
          connection.close();
        }),
      );
    });
  });
}

async function barePostgres({ host, port, username, password, database_name }: Target): Promise<void> {
  const to = { host, port: port ?? 5432, username, password, database: database_name };
  const sql = postgres({ ...to, max: 1, ssl: false, fetch_types: false });
  await sql`select version()`;
  await sql.end();
}
