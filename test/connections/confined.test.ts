import { createSocket } from "node:dgram";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../support/certificates.ts";
import { startTdsServer, type TdsServer, testAuthority } from "../support/tds/server.ts";
import { startFakeServer } from "./fake-server.ts";
import { hasMariadb, startMariadb } from "./mariadb-server.ts";
import { startPostgresWithTls } from "./postgres-server.ts";
import { confined, type RunRequest, startRunner } from "./runtimes.ts";
import { expectFailure, expectSuccess, serverAnswers } from "./support.ts";

/** What the hosted platform is: an old Deno on which nobody listens. */
describe.skipIf(!confined([]))("Deno 2.1.14, where nobody may listen", () => {
  let runner: ReturnType<typeof startRunner>;
  let tds: TdsServer;
  let tds7: TdsServer;
  let misnamed: TdsServer;
  let postgres: Awaited<ReturnType<typeof startPostgresWithTls>>;
  let mariadb: Awaited<ReturnType<typeof startMariadb>> | undefined;
  let silent: Awaited<ReturnType<typeof startFakeServer>>;
  beforeAll(async () => {
    const identity = makeCertificate({ subject: "other.test", names: ["other.test"], issuer: testAuthority });
    [tds, tds7, misnamed, postgres, mariadb, silent] = await Promise.all([
      startTdsServer({ answers: serverAnswers }),
      startTdsServer({ answers: serverAnswers, strict: false }),
      startTdsServer({ answers: serverAnswers, identity }),
      startPostgresWithTls(),
      hasMariadb ? startMariadb() : undefined,
      startFakeServer((socket) => void socket.resume()),
    ]);
    await mariadb?.admin.query("create user shopkeeper@'%' identified by 'right'");
    const runtime = confined(
      [tds, tds7, misnamed, postgres, silent, ...(mariadb ? [mariadb] : [])].map(({ port }) => port),
    );
    if (runtime) runner = startRunner(runtime);
  });
  afterAll(async () => {
    await runner?.stop();
    await Promise.all([tds, tds7, misnamed, silent].map((server) => server?.close()));
    await Promise.all([postgres?.stop(), mariadb?.stop()]);
  });

  const askTds = ({ port, ca }: TdsServer, request: Partial<RunRequest> = {}) =>
    runner.run({
      ...{ engine: "mssql", host: "db.test", port, username: "sa", password: "Passw0rd!", database: "shop" },
      ...request,
      tls: { ca, ...request.tls },
    });
  const askPostgres = (request: Partial<RunRequest> = {}) =>
    runner.run({
      ...{ engine: "postgres", host: "db.test", port: postgres.port, username: "postgres" },
      ...{ password: "postgres", database: "postgres", tls: { ca: postgres.ca } },
      ...request,
    });
  const askMysql = (request: Partial<RunRequest> = {}) =>
    runner.run({
      ...{ engine: "mysql", host: "db.test", port: mariadb?.port ?? 0, username: "shopkeeper" },
      ...{ password: "right", tls: { ca: mariadb?.ca ?? "" } },
      ...request,
    });

  it("SQL Server, strict: the whole test", async () => {
    const answer = await askTds(tds, { tls: { mode: "strict" } });
    expectSuccess(answer);
    expect(answer.value.server.product).toBe("Microsoft SQL Server");
    expect(tds.logins.at(-1)).toMatchObject({ tls: "TLSv1.3", user: "sa", database: "shop" });
    expectFailure(await askTds(tds, { tls: { mode: "strict" }, password: "wrong" }), "login_failed");
    expectFailure(await askTds(misnamed, { tls: { mode: "strict" } }), "tls_failed", "wrong_name");
    expect(misnamed.logins).toEqual([]);
  });

  it("SQL Server, encrypted as usual: by TDS 8 where the server speaks it", async () => {
    expectSuccess(await askTds(tds));
    expect(tds.logins.at(-1)).toMatchObject({ tls: "TLSv1.3" });
    expectFailure(await askTds(misnamed), "tls_failed", "wrong_name");
  });

  it("SQL Server before TDS 8: what a probe learns, long before the time is up", async () => {
    const answer = await askTds(tds7);
    expectFailure(answer, "runtime_unsupported");
    expect(answer.failure?.facts).toEqual({ version: "16.0.4100", encryption: "on" });
    expect(answer.took).toBeLessThan(20_000);
    expect(tds7.logins).toEqual([]);
  });

  it("PostgreSQL: the whole test over TLS, and in clear", async () => {
    const answer = await askPostgres();
    expectSuccess(answer);
    expect(answer.value.server.product).toBe("PostgreSQL");
    expect(answer.value.tls).toEqual({ version: null, cipher: null, certificate: null });
    expectSuccess(await askPostgres({ action: "introspect" }));
    expectSuccess(await askPostgres({ tls: { mode: "disable" } }));
    expectFailure(await askPostgres({ password: "wrong" }), "login_failed");
    expectFailure(await askPostgres({ host: "other.test" }), "tls_failed", "wrong_name");
  });

  it.skipIf(!hasMariadb)("MySQL: the whole test over TLS, and in clear", async () => {
    for (let round = 0; round < 10; round++) {
      const answer = await askMysql();
      expectSuccess(answer);
      expect(answer.value.server.product).toBe("MariaDB");
      expect(answer.value.tls).toEqual({ version: null, cipher: null, certificate: null });
    }
    expectSuccess(await askMysql({ tls: { mode: "disable" } }));
    expectFailure(await askMysql({ password: "wrong" }), "login_failed");
    expectFailure(await askMysql({ host: "other.test" }), "tls_failed", "wrong_name");
  });

  it("silence costs the time given, whoever keeps it", async () => {
    const { port } = silent;
    for (const engine of ["mssql", "postgres", "mysql"] as const) {
      const answer = await runner.run({
        ...{ engine, host: "db.test", port, username: "sa", password: "x", within: 300 },
        tls: { ca: postgres.ca },
      });
      expectFailure(answer, "timeout");
      await silent.idle();
    }
  });

  it("a named instance: the port is to be given", async () => {
    // Somebody is there to be asked.
    const browser = createSocket("udp4");
    await new Promise<void>((resolve) => browser.bind(0, "127.0.0.1", resolve));
    const answer = await runner.run({
      ...{ engine: "mssql", action: "port", host: "db.test", port: 0, username: "", password: "" },
      options: { instance: "SQLEXPRESS" },
      settings: { browserPort: browser.address().port },
    });
    expectFailure(answer, "runtime_unsupported");
    browser.close();
  });
});
