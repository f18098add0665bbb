import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { repository } from "../../src/stack/repository.ts";
import { startTdsServer } from "../support/tds/server.ts";

const hasTsql = spawnSync("tsql", ["-C"], { stdio: "ignore" }).status === 0;
if (!hasTsql)
  console.warn("! FreeTDS's tsql is not installed: the TDS server is checked by our own driver alone.");

describe("the TDS server of these tests", () => {
  it.skipIf(!hasTsql)("is a SQL Server to FreeTDS too", async () => {
    const rowset = { columns: ["answer"], rows: [["forty-two"]] };
    for (const encryption of ["not_supported", "off", "on"] as const) {
      const server = await startTdsServer({ encryption, answers: [[/select answer/, rowset]] });
      const client = spawn(
        "tsql",
        ["-H", "127.0.0.1", "-p", String(server.port), "-U", "sa", "-P", "Passw0rd!", "-D", "shop"],
        { env: { PATH: process.env["PATH"], TDSVER: "7.4" } },
      );
      let printed = "";
      client.stdout.on("data", (bytes) => (printed += bytes));
      client.stdin.end("select answer\ngo\nexit\n");
      await once(client, "close");
      expect(printed).toContain("forty-two");
      expect(server.logins).toHaveLength(1);
      await server.close();
    }
  });

  it("runs as a process of its own, and ends with its input", async () => {
    const server = spawn(process.execPath, [repository("test/support/tds/serve.ts"), "{}"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    const [line] = await once(createInterface({ input: server.stdout }), "line");
    expect(JSON.parse(String(line))).toMatchObject({
      port: expect.any(Number),
      ca: expect.stringContaining("BEGIN"),
    });
    server.stdin.end();
    await once(server, "exit");
  });
});
