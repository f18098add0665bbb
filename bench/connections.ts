import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Target } from "../functions/connections/tester.ts";
import { denoBinary } from "../src/stack/functions/deno.ts";
import { withThrowawayDatabase } from "../src/stack/postgres/throwaway.ts";
import { repository } from "../src/stack/repository.ts";
import { startTdsServer, type TdsServerOptions } from "../test/support/tds/server.ts";
import type { Benchmark } from "./bench.ts";

const ROUNDS = 300;

/** What a test asks of SQL Server, and so does the bare driver. */
const answers: TdsServerOptions["answers"] = [
  [/ProductVersion/, { columns: ["version", "edition", "engine"], rows: [["16.0.4100.1", "Developer", 3]] }],
];

const benchmark: Benchmark = {
  about:
    "a connection test in Deno, with its guard, phases and certificate facts, against the bare driver: connect, log in, " +
    "ask for the version, close; the servers are on this machine, where nothing hides what it costs",

  async run(report) {
    const tds = await startTdsServer({ answers });
    try {
      await withThrowawayDatabase(async (server) => {
        const url = new URL(server.url("postgres"));
        report.step(`${ROUNDS} of each, to each`);
        const [mssql, postgres] = await measure([
          {
            engine: "mssql",
            host: "localhost",
            port: tds.port,
            database_name: "shop",
            username: "sa",
            password: "Passw0rd!",
            tls_mode: "verify-full",
            ca_certificate: tds.ca,
            options: {},
          },
          {
            engine: "postgres",
            host: "localhost",
            port: Number(url.port),
            database_name: url.pathname.slice(1),
            username: url.username,
            password: decodeURIComponent(url.password),
            tls_mode: "disable",
            ca_certificate: null,
            options: {},
          },
        ]);
        for (const [to, figure, times] of [
          ["SQL Server over TLS", "test_vs_connect", mssql],
          ["PostgreSQL in clear", "test_vs_connect_postgres", postgres],
        ] as const) {
          if (!times) throw new Error(`${to} was not measured.`);
          report.row({ to, "bare ms": times.bare.toFixed(2), "test ms": times.test.toFixed(2) });
          report.ratio(figure, times.test / times.bare);
        }
      });
    } finally {
      await tds.close();
    }
  },
};
export default benchmark;

async function measure(targets: Target[]): Promise<{ bare: number; test: number }[]> {
  const told = JSON.stringify({ targets, rounds: ROUNDS });
  const client = repository("bench/connections-client.ts");
  const run = ["run", "--no-check", "--no-prompt", "--allow-all", client, told];
  const { stdout } = await promisify(execFile)(denoBinary(), run, { cwd: repository() });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { bare: number; test: number });
}
