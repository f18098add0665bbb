import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFakeServer } from "./fake-server.ts";
import { startPostgresWithTls } from "./postgres-server.ts";
import { type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { expectFailure, expectSuccess, startDecoy } from "./support.ts";

const canary = "canary-7f3a-password";
let server: Awaited<ReturnType<typeof startPostgresWithTls>>;
let decoy: Awaited<ReturnType<typeof startDecoy>>;

beforeAll(async () => {
  decoy = await startDecoy();
  server = await startPostgresWithTls();
  await server.admin.unsafe(`create role shopkeeper login password 'shop''s "own" password'`);
  await server.admin`create database shop owner shopkeeper`;
  await server.admin`create database closed`;
  await server.admin`revoke connect on database closed from public`;
});
afterAll(async () => {
  await server?.stop();
  await decoy?.close();
});

describe.each(runtimes)("$name", (runtime) => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    // What the driver would take from its environment, did we leave it anything to take.
    const to = { PGHOST: "127.0.0.1", PGPORT: String(decoy.port), PGDATABASE: "closed", PGUSER: "postgres" };
    runner = startRunner(runtime, { ...to, PGSSLMODE: "disable", PGSSLROOTCERT: "/etc/passwd" });
  });
  afterAll(() => runner.stop());

  const ask = (request: Partial<RunRequest> = {}) =>
    runner.run({
      engine: "postgres",
      host: "db.test",
      port: server.port,
      username: "shopkeeper",
      password: `shop's "own" password`,
      database: "shop",
      ...request,
      tls: { ca: server.ca, ...request.tls },
    });

  it.each(["disable", "require", "verify-ca", "verify-full"] as const)("%s: logs in", async (mode) => {
    const answer = await ask({ tls: { mode } });
    expectSuccess(answer);
    expect(answer.value.server).toMatchObject({ product: "PostgreSQL", edition: null });
    expect(answer.value.server.version).toMatch(/^17\./);
    if (mode === "disable") expect(answer.value.tls).toBeNull();
    else expect(answer.value.tls.version).toBe("TLSv1.3");
    expect(answer.value.phases.login).toBeGreaterThan(0);
    expect(answer.value.phases.query).toBeGreaterThan(0);
    expect(answer.dials).toEqual([null]);
  });

  it("tells failures apart", async () => {
    expectFailure(await ask({ password: canary }), "login_failed");
    expectFailure(await ask({ username: canary, password: canary }), "login_failed");
    expectFailure(await ask({ password: "" }), "login_failed");
    expectFailure(await ask({ database: "nowhere" }), "database_not_found");
    expectFailure(await ask({ database: "closed" }), "permission_denied");
    expectFailure(await ask({ host: "other.test" }), "tls_failed", "wrong_name");
    expect(runner.printed()).not.toContain(canary);
  });

  it("leaves no session behind, however it ended", async () => {
    await ask();
    await ask({ password: canary });
    await ask({ tls: { mode: "disable" }, database: "nowhere" });
    for (let tries = 0; (await server.sessions()) > 0; tries++) {
      expect(tries, "sessions stay open").toBeLessThan(1000);
      await sleep(20);
    }
  });

  it("dials nobody by itself: host lists, hostaddr and what the environment says lead nowhere", async () => {
    const here = `127.0.0.1:${decoy.port}`;
    for (const host of [`${here},${here}`, here, "127.0.0.1", `db.test?host=127.0.0.1&hostaddr=127.0.0.1`]) {
      const answer = await ask({ host, port: decoy.port, dialPort: server.port, tls: { mode: "disable" } });
      expectSuccess(answer);
    }
    // A connection that ends early is not dialed again.
    const ending = await startFakeServer((socket) => void socket.end());
    const answer = await ask({ port: decoy.port, dialPort: ending.port, tls: { mode: "disable" } });
    expectFailure(answer, "unsupported_server");
    expect(answer.dials).toEqual([null]);
    await ending.close();
    expect(decoy.visitors()).toBe(0);
  });

  it("a server without TLS gets no login, and one that pretends is found out", async () => {
    let login = false;
    const answering = (answer: string) =>
      startFakeServer((socket) => {
        socket.once("data", () => {
          socket.write(answer);
          socket.on("data", () => (login = true));
        });
      });
    for (const [answer, code, reason] of [
      ["N", "tls_failed", "not_offered"],
      ["X", "unsupported_server", undefined],
      // Smuggled in clear behind the server's yes.
      ["SR\0\0\0\b\0\0\0\0", "unsupported_server", undefined],
    ] as const) {
      const fake = await answering(answer);
      expectFailure(await ask({ port: fake.port }), code, reason);
      await fake.idle();
      await fake.close();
    }
    expect(login).toBe(false);
  });

  it("a server that keeps silent costs the time given, and no socket", async () => {
    const silent = await startFakeServer((socket) => void socket.resume());
    for (const mode of ["disable", "verify-full"] as const) {
      expectFailure(await ask({ port: silent.port, within: 600, tls: { mode } }), "timeout");
      await silent.idle();
    }
    await silent.close();
  });

  it("a server that takes only TLS says so", async () => {
    const text = `no pg_hba.conf entry for host "127.0.0.1", user "shopkeeper", database "shop", no encryption`;
    const fake = await startFakeServer((socket) => {
      socket.once("data", () => {
        const fields = `SFATAL\0VFATAL\0C28000\0M${text}\0\0`;
        const head = Buffer.alloc(5);
        head.write("E");
        head.writeInt32BE(fields.length + 4, 1);
        socket.end(Buffer.concat([head, Buffer.from(fields)]));
      });
    });
    expectFailure(await ask({ port: fake.port, tls: { mode: "disable" } }), "tls_required");
    await fake.close();
  });

  it("works in one read-only transaction, with a time limit of its own", async () => {
    const statements: string[] = [];
    const log = path.join(server.directory, "server.log");
    const before = statSync(log).size;
    await server.admin`alter role shopkeeper set log_statement = 'all'`;
    expectSuccess(await ask({ action: "introspect" }));
    await server.admin`alter role shopkeeper reset log_statement`;
    for (const line of readFileSync(log, "utf8").slice(before).split("\n")) {
      const [, statement] = line.match(/LOG:\s+(?:statement|execute [^:]+): (.*)/) ?? [];
      if (statement) statements.push(statement.trim().split(/\s+/).slice(0, 3).join(" "));
    }
    expect(statements[0]).toMatch(/^begin read only/);
    expect(statements[1]).toMatch(/^set local statement_timeout/);
    expect(statements.slice(2, -1).every((statement) => statement.startsWith("select"))).toBe(true);
  });
});
