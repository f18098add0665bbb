import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveTrick, type Trick } from "../support/mysql-server.ts";
import { startFakeServer } from "./fake-server.ts";
import { hasMariadb, startMariadb } from "./mariadb-server.ts";
import { type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { expectFailure, expectSuccess, startDecoy } from "./support.ts";

if (!hasMariadb) {
  console.warn("! mariadbd is not installed: MySQL's engine is tested against a fake server alone.");
}

const canary = "canary-7f3a-password";
let server: Awaited<ReturnType<typeof startMariadb>>;

beforeAll(async () => {
  if (!hasMariadb) return;
  server = await startMariadb();
  await server.admin.query(`
    create user shopkeeper@'%' identified by 'shop''s "own" password';
    create user guarded@'%' identified by 'guarded' require ssl;
    create database shop; grant all on shop.* to shopkeeper@'%'; grant all on shop.* to guarded@'%';
    create database closed;`);
});
afterAll(() => server?.stop());

describe.each(runtimes)("$name", (runtime) => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    runner = startRunner(runtime);
  });
  afterAll(() => runner.stop());

  const ask = (request: Partial<RunRequest> = {}) =>
    runner.run({
      engine: "mysql",
      host: "db.test",
      port: server?.port ?? 0,
      username: "shopkeeper",
      password: `shop's "own" password`,
      database: "shop",
      ...request,
      tls: { ...(server && { ca: server.ca }), ...request.tls },
    });

  describe.skipIf(!hasMariadb)("a real MariaDB", () => {
    it.each(["disable", "require", "verify-ca", "verify-full"] as const)("%s: logs in", async (mode) => {
      const answer = await ask({ tls: { mode } });
      expectSuccess(answer);
      expect(answer.value.server.product).toBe("MariaDB");
      expect(answer.value.server.version).toMatch(/^1\d\.\d+\.\d+/);
      if (mode === "disable") expect(answer.value.tls).toBeNull();
      else expect(answer.value.tls.version).toMatch(/^TLSv1\.[23]$/);
      expect(answer.value.phases.login).toBeGreaterThan(0);
      expect(answer.value.phases.query).toBeGreaterThan(0);
      expect(answer.dials).toEqual([null]);
    });

    it("tells failures apart", async () => {
      expectFailure(await ask({ password: canary }), "login_failed");
      expectFailure(await ask({ username: canary, password: canary }), "login_failed");
      expectFailure(await ask({ database: "closed" }), "database_not_found");
      expectFailure(await ask({ database: "nowhere" }), "database_not_found");
      expectFailure(await ask({ host: "other.test" }), "tls_failed", "wrong_name");
      const guarded = { username: "guarded", password: "guarded" };
      expectFailure(await ask({ ...guarded, tls: { mode: "disable" } }), "login_failed");
      expectSuccess(await ask(guarded));
      expect(runner.printed()).not.toContain(canary);
    });

    it("leaves no session behind, however it ended", async () => {
      await ask();
      await ask({ action: "introspect" });
      await ask({ password: canary });
      for (let tries = 0; (await server.sessions()) > 0; tries++) {
        expect(tries, "sessions stay open").toBeLessThan(1000);
        await sleep(20);
      }
    });

    it("dials nobody by itself", async () => {
      const decoy = await startDecoy();
      for (const host of ["127.0.0.1", `127.0.0.1:${decoy.port},127.0.0.1`]) {
        const answer = await ask({ host, port: decoy.port, dialPort: server.port, tls: { mode: "disable" } });
        expectSuccess(answer);
      }
      expect(decoy.visitors()).toBe(0);
      await decoy.close();
    });
  });

  describe("a server", () => {
    async function tricked(trick: Trick, request: Partial<RunRequest> = {}) {
      const received: Buffer[] = [];
      let sent = 0;
      const fake = await startFakeServer((socket) => {
        serveTrick(socket, trick, (bytes) => received.push(bytes));
        socket.on("close", () => {
          sent = socket.bytesWritten;
        });
      });
      const answer = await ask({ port: fake.port, password: canary, tls: { mode: "disable" }, ...request });
      await fake.idle();
      await fake.close();
      return { answer, sent, received: Buffer.concat(received) };
    }

    it("that asks for a file of ours gets none", async () => {
      const { answer, received } = await tricked("local_infile");
      expectFailure(answer, "unsupported_server");
      expect(received.toString("latin1")).not.toMatch(/root|nologin/);
    });

    it("that asks for the password in clear gets none", async () => {
      const { answer, received } = await tricked("clear_password");
      expectFailure(answer, "unsupported_server");
      expect(received.toString("latin1")).not.toContain(canary);
    });

    it("that never ends the handshake costs the time given, and no socket", async () => {
      const { answer } = await tricked("endless_handshake", { within: 700 });
      expect(["timeout", "unsupported_server"]).toContain(answer.failure?.code);
      expect(answer.unheard).toEqual([]);
    });

    it("that never ends its columns is hung up on long before they fill the memory", async () => {
      const { answer, sent } = await tricked("endless_columns");
      expectFailure(answer, "unsupported_server");
      expect(sent).toBeLessThan(16 << 20);
    });

    it("that takes only TLS says so", async () => {
      const { answer } = await tricked("secure_only");
      expectFailure(answer, "tls_required");
    });

    it("that offers no TLS gets no login", async () => {
      const { answer, received } = await tricked("no_tls", { tls: { mode: "verify-full" } });
      expectFailure(answer, "tls_failed", "not_offered");
      expect(received).toHaveLength(0);
    });

    it.each(["require", "verify-full"] as const)(
      "that goes on before TLS gets no password: %s",
      async (mode) => {
        const { answer, received } = await tricked("words_before_tls", { tls: { mode }, within: 2000 });
        expect(received.toString("latin1")).not.toContain(canary);
        expectFailure(answer, "unsupported_server");
      },
    );

    it("that is no MySQL is said to be none", async () => {
      const { answer } = await tricked("garbage", { within: 1500 });
      expect(["timeout", "unsupported_server"]).toContain(answer.failure?.code);
    });
  });
});
