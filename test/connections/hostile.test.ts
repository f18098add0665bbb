import type { Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FailureCode } from "../../functions/connections/failures.ts";
import { startTdsServer } from "../support/tds/server.ts";
import { startFakeServer } from "./fake-server.ts";
import { hasMariadb, startMariadb } from "./mariadb-server.ts";
import { startPostgresWithTls } from "./postgres-server.ts";
import { mutate, numbers, record, replay } from "./replay.ts";
import { type RunAnswer, type RunRequest, runtimes, startRunner } from "./runtimes.ts";
import { serverAnswers } from "./support.ts";

const RUNS = 120;
const TOGETHER = 10;
const MEBIBYTE = 1024 * 1024;

let tds: Awaited<ReturnType<typeof startTdsServer>>;
let postgres: Awaited<ReturnType<typeof startPostgresWithTls>>;
let mariadb: Awaited<ReturnType<typeof startMariadb>> | undefined;
beforeAll(async () => {
  [tds, postgres, mariadb] = await Promise.all([
    startTdsServer({ encryption: "not_supported", answers: serverAnswers }),
    startPostgresWithTls(),
    hasMariadb ? startMariadb() : undefined,
  ]);
  await mariadb?.admin.query("create user shopkeeper@'%' identified by 'right'");
});
afterAll(() => Promise.all([tds?.close(), postgres?.stop(), mariadb?.stop()]));

const requests: Record<string, () => RunRequest> = {
  mssql: () => ({ engine: "mssql", host: "db.test", port: tds.port, username: "sa", password: "Passw0rd!" }),
  postgres: () => ({
    ...{ engine: "postgres", host: "db.test", port: postgres.port, username: "postgres" },
    ...{ password: "postgres", database: "postgres" },
  }),
  mysql: () => ({
    ...{ engine: "mysql", host: "db.test", port: mariadb?.port ?? 0, username: "shopkeeper" },
    password: "right",
  }),
};
const engines = ["mssql", "postgres", ...(hasMariadb ? ["mysql"] : [])];

describe.concurrent.each(runtimes)("$name", (runtime) => {
  let runner: ReturnType<typeof startRunner>;
  beforeAll(() => {
    runner = startRunner(runtime);
  });
  afterAll(() => runner.stop());

  const ask = (engine: string, request: Partial<RunRequest> = {}): Promise<RunAnswer> => {
    const known = requests[engine]?.();
    if (!known) throw new Error(engine);
    return runner.run({ ...known, tls: { mode: "disable" }, ...request });
  };

  it.each(engines)("%s: a server that says anything ends no more than its own test", async (engine) => {
    const recorded = await record(requests[engine]?.().port ?? 0, async (port) => {
      expectCode(await ask(engine, { port }), "ok");
    });
    const random = numbers(42);
    for (let run = 0; run < RUNS; run += TOGETHER) {
      const answers = Array.from({ length: TOGETHER }, async () => {
        const server = await replay(mutate(recorded, random), engine === "mysql");
        const answer = await ask(engine, { port: server.port, within: 400 });
        await server.close();
        return answer;
      });
      for (const { thrown, took } of await Promise.all(answers)) {
        expect(thrown).toBeUndefined();
        // The time that it was given holds.
        expect(took).toBeLessThan(20_000);
      }
    }
    expectCode(await ask(engine), "ok");
  });

  it("what is thrown where nobody can catch it ends nothing, and nothing but the log's lines is printed", async () => {
    const answer = await ask("mssql", { action: "stray" });
    expect(answer.value).toBe("alive");
    for (const stray of ["Error: thrown", "Error: rejected"]) expect(answer.unheard).toContain(stray);
  });

  /** Sends the same for as long as the client takes it, after its first word. */
  async function flood(engine: string, greeting: Buffer, more: Buffer, mostBytes = 256 * 1024) {
    let sent = 0;
    const pour = (socket: Socket) => {
      const chunk = Buffer.concat(Array.from({ length: Math.ceil(65_536 / more.length) }, () => more));
      const write = () => {
        while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
      };
      socket.on("drain", write);
      write();
    };
    const server = await startFakeServer((socket) => {
      const begin = () => {
        socket.write(greeting);
        pour(socket);
      };
      // MySQL's server speaks first.
      if (engine === "mysql") begin();
      else socket.once("data", begin);
    });
    const answer = await ask(engine, { port: server.port, mostBytes });
    await server.idle();
    await server.close();
    return { answer, sent };
  }

  it.each([
    ["mssql", Buffer.alloc(0), Buffer.from([4, 0, 0, 9, 0, 0, 1, 0, 0])],
    ["postgres", Buffer.alloc(0), Buffer.from("N\0\0\0\x05\0", "latin1")],
    [
      "postgres",
      Buffer.from("R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", "latin1"),
      Buffer.from("A\x40\0\0\0abcdefgh"),
    ],
    ["mysql", Buffer.alloc(0), Buffer.from([0xff, 0xff, 0xff, 0, 10, 0x38, 0x2e, 0x34])],
  ])("%s: a server that never stops talking is hung up on", async (engine, greeting, more) => {
    const { answer, sent } = await flood(engine, greeting, more);
    expectCode(answer, "unsupported_server");
    expect(sent).toBeLessThan(16 * MEBIBYTE);
  });

  it.each([
    ["settings", Buffer.from("S\0\0\0\x08a\0b\0", "latin1")],
    ["a notice", Buffer.from("N\x7f\xff\xff\xffC", "latin1")],
  ])("PostgreSQL: %s without end: not kept, however much may be read", async (_, more) => {
    const greeting = Buffer.from("R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", "latin1");
    const { answer, sent } = await flood("postgres", greeting, more, 32 * MEBIBYTE);
    expectCode(answer, "unsupported_server");
    expect(sent).toBeLessThan(16 * MEBIBYTE);
  });

  it("PostgreSQL: a server that asks for years of work, or for what is no number, gets none", async () => {
    for (const iterations of ["2147483647", "1000001", "0", "-1", "NaN", ""]) {
      const server = await startFakeServer((socket) => {
        socket.once("data", () => {
          socket.write(authentication(10, "SCRAM-SHA-256\0\0"));
          socket.once("data", (said) => {
            const nonce = said.toString("latin1").match(/r=(.*)$/)?.[1];
            socket.write(authentication(11, `r=${nonce}x,s=${btoa("salt")},i=${iterations}`));
          });
        });
      });
      // Work that was begun would not be done in this time, and the answer would be that.
      expectCode(await ask("postgres", { port: server.port, within: 20_000 }), "unsupported_server");
      await server.close();
    }
  });

  it("PostgreSQL: a server that asks for the same work again gets it once", async () => {
    const answered: string[] = [];
    const server = await startFakeServer((socket) => {
      socket.once("data", () => {
        socket.write(authentication(10, "SCRAM-SHA-256\0\0"));
        socket.once("data", (said) => {
          const nonce = said.toString("latin1").match(/r=(.*)$/)?.[1];
          const more = () => socket.write(authentication(11, `r=${nonce}x,s=${btoa("salt")},i=4096`));
          socket.on("data", (proof) => {
            answered.push(proof.toString("latin1"));
            more();
          });
          more();
        });
      });
    });
    expectCode(await ask("postgres", { port: server.port }), "unsupported_server");
    expect(answered).toHaveLength(1);
    await server.close();
  });

  it("SQL Server: a server that wants packets of nothing gets whole ones", async () => {
    for (const packetSize of [0, 8, 9, -1, 2 ** 31 - 1]) {
      const server = await startTdsServer({
        ...{ encryption: "not_supported", answers: serverAnswers, packetSize },
      });
      expectCode(await ask("mssql", { port: server.port }), "ok");
      await server.close();
    }
  });

  it("SQL Server: a server that never stops complaining keeps nobody from anything", async () => {
    const server = await startTdsServer({ encryption: "not_supported", fault: "endless_errors" });
    const answer = await ask("mssql", { port: server.port });
    expectCode(answer, "unsupported_server");
    expect(answer.took).toBeLessThan(20_000);
    await server.close();
  });

  it("SQL Server: transactions that nobody began are not kept", async () => {
    const server = await startTdsServer({
      ...{ encryption: "not_supported", answers: serverAnswers, fault: "begins_transaction" },
    });
    expectCode(await ask("mssql", { port: server.port }), "ok");
    await server.close();
  });

  it.each([
    ["more rows", 1, 100_002],
    ["wider rows", 21, 1],
  ])("SQL Server: %s than anybody asked for", async (_, width, height) => {
    const columns = Array.from({ length: width }, (_, n) => `column${n}`);
    const rows = Array.from({ length: height }, () => columns.map(() => 1));
    const server = await startTdsServer({
      encryption: "not_supported",
      answers: [[/ProductVersion/, { columns, rows }]],
    });
    expectCode(await ask("mssql", { port: server.port }), "unsupported_server");
    await server.close();
  });
});

// What drivers throw where nobody can catch it is told to all that is under way.
const expectCode = ({ thrown, failure, value }: RunAnswer, code: FailureCode | "ok") =>
  expect(thrown ?? failure?.code ?? (value && "ok")).toBe(code);

function authentication(code: number, text: string): Buffer {
  const head = Buffer.from("R\0\0\0\0\0\0\0\0", "latin1");
  head.writeInt32BE(8 + text.length, 1);
  head.writeInt32BE(code, 5);
  return Buffer.concat([head, Buffer.from(text, "latin1")]);
}
