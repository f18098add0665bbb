import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTdsServer } from "../support/tds/server.ts";
import { type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { expectFailure, expectSuccess, serverAnswers, startDecoy } from "./support.ts";

const engines = ["mssql", "postgres", "mysql"] as const;
const elsewhere = "8.8.8.8";

describe.concurrent.each(runtimes)("$name", (runtime) => {
  let runner: ReturnType<typeof startRunner>;
  let decoy: Awaited<ReturnType<typeof startDecoy>>;
  beforeAll(async () => {
    runner = startRunner(runtime);
    decoy = await startDecoy();
  });
  afterAll(async () => {
    await Promise.all([runner.stop(), decoy.close()]);
    expect(decoy.visitors()).toBe(0);
  });

  const ask = (request: Partial<RunRequest>) =>
    runner.run({
      ...{ engine: "mssql", action: "guarded", host: "db.test", port: decoy.port },
      ...{ username: "sa", password: "Passw0rd!", database: "shop" },
      ...request,
    });

  describe.each(engines)("%s", (engine) => {
    it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"])(
      "%s: nobody is connected to",
      async (host) => {
        const answer = await ask({ engine, host });
        expectFailure(answer, "blocked_address");
        expect(answer.connected).toEqual([]);
      },
    );

    it.each([
      "127.1",
      "2130706433",
      "0x7f000001",
      "0177.0.0.1",
      "127.0.0.1.",
      `127.0.0.1,${elsewhere}`,
      "/tmp",
    ])("%s: is no host, and is not looked up", async (host) => {
      const answer = await ask({ engine, host, guard: { answers: [["127.0.0.1"]] } });
      expectFailure(answer, "dns_failed");
      expect(answer).toMatchObject({ connected: [], resolved: 0 });
    });

    it("a name that leads to us: nobody is connected to", async () => {
      for (const addresses of [
        ["127.0.0.1"],
        [elsewhere, "127.0.0.1"],
        ["169.254.169.254"],
        ["fd00:ec2::254"],
      ]) {
        const answer = await ask({ engine, guard: { answers: [addresses] } });
        expectFailure(answer, "blocked_address");
        expect(answer).toMatchObject({ connected: [], resolved: 1 });
      }
    });

    it("a name that leads to us the second time: it is not asked a second time", async () => {
      const server = await startDecoy();
      const answer = await ask({
        engine,
        within: 800,
        guard: { answers: [[elsewhere], ["127.0.0.1"]], behind: { [elsewhere]: server.port } },
      });
      expectFailure(answer, "timeout");
      expect(answer).toMatchObject({ connected: [elsewhere], resolved: 1 });
      expect(server.visitors()).toBe(1);
      await server.close();
    });
  });

  it("SQL Server: where a server sends its client is checked anew", async () => {
    const server = await startTdsServer({
      answers: serverAnswers,
      routing: { host: "inside.test", port: decoy.port },
    });
    const guard = { answers: [[elsewhere], ["127.0.0.1"]], behind: { [elsewhere]: server.port } };
    const inside = await ask({ guard, tls: { ca: server.ca } });
    expectFailure(inside, "blocked_address");
    expect(inside).toMatchObject({ connected: [elsewhere], resolved: 2 });
    await server.idle();
    await server.close();

    const target = await startTdsServer({ answers: serverAnswers });
    const gateway = await startTdsServer({ routing: { host: "localhost", port: 11_000 } });
    const behind = { [elsewhere]: gateway.port, "1.1.1.1": target.port };
    const routed = await ask({
      guard: { answers: [[elsewhere], ["1.1.1.1"]], behind },
      tls: { ca: target.ca },
    });
    expectSuccess(routed);
    expect(routed).toMatchObject({ connected: [elsewhere, "1.1.1.1"], resolved: 2 });
    await Promise.all([target.close(), gateway.close()]);
  });
});
