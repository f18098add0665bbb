import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { isAlive, type Process, processOf } from "./processes.ts";

// A process that works in a folder with another one, as a benchmark does with PostgreSQL.
const program = `
  import { spawn } from "node:child_process";
  import { createScratch } from ${JSON.stringify(new URL("scratch.ts", import.meta.url).href)};
  const { folder, onProcess, remove } = createScratch();
  const { pid } = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
  onProcess(pid);
  console.log(JSON.stringify({ folder, pid }));
  process.stdin.once("data", () => remove().then(() => process.exit()));
`;

async function start() {
  const owner = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { value } = await createInterface({ input: owner.stdout })[Symbol.asyncIterator]().next();
  const { folder, pid } = JSON.parse(value as string) as { folder: string; pid: number };
  return { owner, folder, worker: processOf(pid) as Process };
}

test.each(["SIGINT", "SIGKILL"] as const)(
  "after %s neither folder nor processes are left",
  async (signal) => {
    const { owner, folder, worker } = await start();
    expect([existsSync(folder), isAlive(worker)]).toEqual([true, true]);
    owner.kill(signal);
    await expect
      .poll(() => [existsSync(folder), isAlive(worker)], { timeout: 20_000 })
      .toEqual([false, false]);
  },
);

test("removed in order, the folder is gone at once, and nobody else's process", async () => {
  const { owner, folder, worker } = await start();
  const exited = new Promise((resolve) => owner.once("exit", resolve));
  owner.stdin.write("now");
  await exited;
  expect([existsSync(folder), isAlive(worker)]).toEqual([false, true]);
  process.kill(worker.pid, "SIGKILL");
});
