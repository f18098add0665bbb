import { connect } from "node:net";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schemaSnapshotSchema } from "../../functions/_shared/schema-snapshot.ts";
import type { TlsMode } from "../../functions/connections/engine.ts";
import { startTdsServer } from "../support/tds/server.ts";
import { mssqlCatalogueAnswers } from "./mssql-catalogue.ts";
import { type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { expectFailure, expectSuccess } from "./support.ts";

/** `mssql://user:password@host:port/database?tls=require`: a real SQL Server to hold the same promises against. */
const real = process.env["MSSQL_URL"];

/** The login of a server, and how it is reached. */
type Target = Pick<RunRequest, "host" | "port" | "address" | "username" | "password" | "database" | "tls">;

async function targetOf(text: string): Promise<Target> {
  const url = new URL(text);
  const port = Number(url.port || 1433);
  const socket = connect(port, url.hostname);
  const address = await new Promise<string>((resolve, reject) => {
    socket.once("connect", () => resolve(socket.remoteAddress ?? url.hostname));
    socket.once("error", reject);
  });
  socket.destroy();
  return {
    host: url.hostname,
    port,
    address,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1) || "master",
    tls: { mode: (url.searchParams.get("tls") ?? "verify-full") as TlsMode },
  };
}

describe.each(["our server", ...(real ? ["the server of MSSQL_URL"] : [])])("%s", (which) => {
  let target: Target;
  let close = () => Promise.resolve();
  beforeAll(async () => {
    if (real && which !== "our server") target = await targetOf(real);
    else {
      const server = await startTdsServer({ answers: mssqlCatalogueAnswers });
      close = server.close;
      const login = { username: "sa", password: "Passw0rd!", database: "shop" };
      target = { host: "db.test", port: server.port, ...login, tls: { ca: server.ca } };
    }
  });
  afterAll(() => close());

  // Deno before 2.5 leaves out no part of a certificate's check.
  const lenient = which !== "our server" && /tls=(require|verify-ca)/.test(real ?? "");
  describe.each(runtimes.filter(({ old }) => !(old && lenient)))("$name", (runtime) => {
    let runner: ReturnType<typeof startRunner>;
    beforeAll(() => {
      runner = startRunner(runtime);
    });
    afterAll(() => runner.stop());
    const ask = (request: Partial<RunRequest> = {}) => runner.run({ engine: "mssql", ...target, ...request });

    it("logs in and tells what it is", async () => {
      const answer = await ask();
      expectSuccess(answer);
      expect(answer.value.server.version).toMatch(/^\d+\.\d+\.\d+/);
      expect(answer.value.tls.version).toMatch(/^TLSv1\.[23]$/);
    });

    it("refuses a wrong password, and a database that is not there, each by its name", async () => {
      expectFailure(await ask({ password: "not-the-password-7f3a" }), "login_failed");
      expectFailure(await ask({ database: "nectar_no_such_database" }), "database_not_found");
    });

    it("is introspected", async () => {
      const answer = await ask({ action: "introspect", within: 30_000 });
      expectSuccess(answer);
      const snapshot = schemaSnapshotSchema.parse(answer.value);
      expect(snapshot.database.toLowerCase()).toBe(target.database?.toLowerCase());
      for (const { columns } of snapshot.tables) {
        for (const { type } of columns) expect(type).toMatch(/^[\w ]+(\([\d,max]+\))?$/);
      }
    });
  });
});
