import { afterAll, describe, expect, it } from "vitest";
import { startSqlBrowser } from "../support/tds/browser.ts";
import { type Fault, startTdsServer, type TdsServerOptions } from "../support/tds/server.ts";
import { type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { expectFailure, expectSuccess, serverAnswers, startDecoy } from "./support.ts";

const canary = "canary-7f3a-password";
const modes = ["disable", "verify-full", "strict"] as const;

describe.concurrent.each(runtimes)("$name", (runtime) => {
  const runner = startRunner(runtime);
  afterAll(() => runner.stop());

  /** Runs against a server of its own, and waits until the server has seen every connection close. */
  async function against(options: TdsServerOptions, request: Partial<RunRequest> = {}) {
    const disabled = request.tls?.mode === "disable";
    const server = await startTdsServer({
      answers: serverAnswers,
      ...(disabled && { encryption: "not_supported" as const }),
      ...options,
    });
    try {
      const answer = await runner.run({
        engine: "mssql",
        host: "db.test",
        port: server.port,
        username: "sa",
        password: "Passw0rd!",
        database: "shop",
        ...request,
        tls: { ca: server.ca, ...request.tls },
      });
      await server.idle();
      return { answer, server };
    } finally {
      await server.close();
    }
  }

  describe.each(modes)("%s: a login is refused", (mode) => {
    // How long the server waits before it closes: FIN together with the error is the hard case.
    it.each([0, 20, 500])("for its password; the server closes after %i ms", async (closeDelay) => {
      for (let round = 0; round < (closeDelay > 100 ? 1 : 5); round++) {
        const { answer } = await against({ closeDelay }, { password: canary, tls: { mode } });
        expectFailure(answer, "login_failed");
      }
    });

    it("for a database that is not there", async () => {
      const { answer } = await against({}, { database: "nowhere", tls: { mode } });
      expectFailure(answer, "database_not_found");
    });

    it.each([
      [18452, "login_failed"],
      [18486, "login_failed"],
      [18488, "login_failed"],
      [4064, "database_not_found"],
      [916, "permission_denied"],
      [40613, "timeout"],
      [40615, "refused"],
      [17809, "refused"],
      [99999, "login_failed"],
    ] as const)("with error %i: %s", async (number, code) => {
      const { answer, server } = await against(
        { loginErrors: [{ number, message: canary }] },
        { tls: { mode } },
      );
      expectFailure(answer, code);
      expect(server.connections(), "nothing is tried again").toBe(1);
    });
  });

  it("a right that the query lacks is told apart from the login", async () => {
    const denied = { error: { number: 229, message: "The SELECT permission was denied." } };
    const { answer } = await against({ answers: [[/ProductVersion/, denied]] });
    expectFailure(answer, "permission_denied");
  });

  describe.each(modes)("%s: a server that breaks off", (mode) => {
    const faults: [Fault, string, string][] = [
      ["reset_on_connect", "refused", "tls_failed"],
      ["reset_on_prelogin", "refused", "refused"],
      ["reset_in_tls", "", "tls_failed"],
      ["reset_on_hello", "", "tls_failed"],
      ["reset_on_login", "unsupported_server", "unsupported_server"],
      ["reset_on_query", "unsupported_server", "unsupported_server"],
    ];
    it.each(faults)("%s", async (fault, otherwise, strict) => {
      if (mode === "disable" && otherwise === "") return;
      const { answer } = await against({ fault }, { tls: { mode } });
      const code = mode === "strict" ? strict : otherwise || "tls_failed";
      // A reset may already be seen by the dial.
      const dialed = fault === "reset_on_connect" && answer.failure?.code === "refused";
      expectFailure(answer, dialed ? "refused" : (code as "refused"));
    });
  });

  describe.each(modes)("%s: a server that keeps silent", (mode) => {
    it.each(["silent", "silent_in_tls", "silent_on_login", "silent_on_query", "endless_prelogin"] as const)(
      "%s: the time holds, and no socket stays",
      async (fault) => {
        if (mode === "disable" && fault === "silent_in_tls") return;
        const begun = performance.now();
        const { answer } = await against({ fault }, { within: 700, tls: { mode } });
        expectFailure(answer, "timeout");
        expect(performance.now() - begun).toBeGreaterThan(690);
      },
    );
  });

  it("a slow server is waited for", async () => {
    const { answer } = await against({ delays: { prelogin: 100, login: 100, query: 100 } });
    expectSuccess(answer);
    expect(answer.value.phases.login).toBeGreaterThan(95);
    expect(answer.value.phases.query).toBeGreaterThan(95);
  });

  it("what is no SQL Server is said to be none", async () => {
    const { answer } = await against({ fault: "garbage" });
    expectFailure(answer, "unsupported_server");
  });

  describe("a server that sends its client elsewhere", () => {
    it("is followed once, through the guarded dial alone, and its certificate is for the new name", async () => {
      const target = await startTdsServer({ answers: serverAnswers });
      const routing = { host: "localhost", port: target.port };
      const { answer, server } = await against({ routing });
      expectSuccess(answer);
      expect(answer.dials).toEqual([null, routing]);
      expect(server.logins).toHaveLength(1);
      expect(target.logins).toMatchObject([{ tls: "TLSv1.2", database: "shop", server: "localhost" }]);
      await target.idle();

      const misnamed = await against({ routing: { host: "elsewhere.test", port: target.port } });
      expectFailure(misnamed.answer, "tls_failed", "wrong_name");
      expect(target.logins, "no password for the wrong name").toHaveLength(1);
      await target.close();
    });

    it("to an address that is refused: no connection", async () => {
      const decoy = await startDecoy();
      const { answer } = await against({ routing: { host: "blocked.test", port: decoy.port } });
      expectFailure(answer, "blocked_address");
      expect(decoy.visitors()).toBe(0);
      await decoy.close();
    });

    it("again and again: not followed", async () => {
      const second = await startTdsServer({ routing: { host: "localhost", port: 9 } });
      const { answer } = await against({ routing: { host: "localhost", port: second.port } });
      expectFailure(answer, "unsupported_server");
      expect(answer.dials).toHaveLength(2);
      await second.close();
    });
  });

  it("the driver dials nobody by itself, whatever the host looks like", async () => {
    const decoy = await startDecoy();
    const server = await startTdsServer({ answers: serverAnswers, encryption: "not_supported" });
    for (const host of ["127.0.0.1", `127.0.0.1,${decoy.port}`, "127.0.0.1\\SQLEXPRESS"]) {
      const answer = await runner.run({
        engine: "mssql",
        host,
        port: decoy.port,
        dialPort: server.port,
        username: "sa",
        password: "Passw0rd!",
        options: { instance: "SQLEXPRESS" },
        tls: { mode: "disable" },
      });
      expectSuccess(answer);
    }
    expect(decoy.visitors()).toBe(0);
    await Promise.all([decoy.close(), server.close()]);
  });

  it("Azure's gateways get the server's name with the login", async () => {
    const host = "nectar.database.windows.net";
    const { answer, server } = await against({}, { host, tls: { mode: "disable" } });
    expectSuccess(answer);
    expect(server.logins).toMatchObject([{ user: "sa@nectar", server: host }]);
    const { server: named } = await against({}, { host, username: "sa@other", tls: { mode: "disable" } });
    expect(named.logins).toMatchObject([{ user: "sa@other" }]);
  });

  it("the application's intent is passed on", async () => {
    const options = { application_intent: "read_only" };
    const { server } = await against({}, { options });
    expect(server.logins).toMatchObject([{ readOnly: true, application: "Nectar" }]);
  });

  it("a named instance is asked for its port, and nobody else", async () => {
    const browser = await startSqlBrowser({ instances: { SQLEXPRESS: 50123 } });
    const ask = (instance: string, within: number) =>
      runner.run({
        engine: "mssql",
        action: "port",
        host: "db.test",
        port: 0,
        username: "",
        password: "",
        options: { instance },
        settings: { browserPort: browser.port },
        within,
      });
    expect((await ask("sqlexpress", 10_000)).value).toBe(50123);
    expect((await ask("OTHER", 800)).value).toBeUndefined();
    await browser.close();
    expect((await ask("sqlexpress", 800)).value).toBeUndefined();
  });

  it("says nothing of what it was given", async () => {
    for (const mode of modes) {
      await against({ users: { sa: canary } }, { password: canary, tls: { mode } });
      await against({}, { password: canary, username: canary, tls: { mode } });
    }
    expect(runner.printed()).not.toContain(canary);
  });
});
