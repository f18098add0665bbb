import postgres from "postgres";
import { Connection, Request } from "tedious";
import { createAddressGuard } from "../functions/_shared/address-guard.ts";
import { engines } from "../functions/connections/engines/engines.ts";
import { detectRuntime } from "../functions/connections/runtime.ts";
import { createTester, type Target } from "../functions/connections/tester.ts";
import { withThrowawayDatabase } from "../src/stack/postgres/throwaway.ts";
import { startTdsServer, type TdsServer, type TdsServerOptions } from "../test/support/tds/server.ts";
import type { Benchmark } from "./bench.ts";
import { sideBySide } from "./side-by-side.ts";

const ROUNDS = 200;

/** What a test asks of SQL Server, and so does the bare driver here. */
const answers: TdsServerOptions["answers"] = [
  [/ProductVersion/, { columns: ["version", "edition", "engine"], rows: [["16.0.4100.1", "Developer", 3]] }],
];
// A server across a network, of which each answer takes five milliseconds.
const FAR = { prelogin: 5, login: 5, query: 5 };

const benchmark: Benchmark = {
  about:
    "a connection test, with its guard, phases and certificate facts, against the bare driver: " +
    "connect, log in, ask for the version, close",

  async run(report) {
    const tester = createTester({
      engines,
      guard: () => createAddressGuard({ allowedNetworks: ["127.0.0.0/8"] }),
      runtime: detectRuntime(),
    });
    const caller = new AbortController().signal;
    const test = (target: Target) => () => tester.test(target, caller);

    async function compare(name: string, figure: string, bare: () => Promise<unknown>, target: Target) {
      report.step(`${name}: ${ROUNDS} of each`);
      const times = await sideBySide({ bare, test: test(target) }, ROUNDS);
      report.row({ to: name, "bare ms": times.bare.toFixed(2), "test ms": times.test.toFixed(2) });
      report.ratio(figure, times.test / times.bare);
    }

    for (const [name, figure, options] of [
      ["SQL Server over TLS, 5 ms away", "test_vs_connect", { answers, delays: FAR }],
      ["SQL Server over TLS, in this process", "test_vs_connect_nowhere", { answers }],
    ] as const) {
      const tds = await startTdsServer(options);
      try {
        await compare(name, figure, () => bareTds(tds), {
          engine: "mssql",
          host: "localhost",
          port: tds.port,
          database_name: "shop",
          username: "sa",
          password: "Passw0rd!",
          tls_mode: "verify-full",
          ca_certificate: tds.ca,
          options: {},
        });
      } finally {
        await tds.close();
      }
    }

    await withThrowawayDatabase(async (server) => {
      const url = new URL(server.url("postgres"));
      await compare("PostgreSQL in clear", "test_vs_connect_postgres", () => barePostgres(url.href), {
        engine: "postgres",
        host: "localhost",
        port: Number(url.port),
        database_name: url.pathname.slice(1),
        username: url.username,
        password: decodeURIComponent(url.password),
        tls_mode: "disable",
        ca_certificate: null,
        options: {},
      });
    });
  },
};
export default benchmark;

/** What anybody would write with the driver alone. */
function bareTds({ port, ca }: TdsServer): Promise<void> {
  const connection = new Connection({
    server: "localhost",
    authentication: { type: "default", options: { userName: "sa", password: "Passw0rd!" } },
    options: { port, database: "shop", encrypt: true, cryptoCredentialsDetails: { ca } },
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

async function barePostgres(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, ssl: false, fetch_types: false });
  await sql`select version()`;
  await sql.end();
}
