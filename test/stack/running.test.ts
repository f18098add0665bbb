import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { copyOfRepository, leavesNothing, type Started, start } from "./support.ts";

const idOf = async (started: Started, part: string) =>
  Number(/\d+/.exec((await started.processes()).find((line) => line.includes(part)) ?? "")?.[0]);

test.concurrent("when PostgreSQL dies, everything ends with a message and exit code 1", async () => {
  const started = await start({ root: copyOfRepository() });
  await started.ready();
  const postmaster = readFileSync(path.join(started.data, "postgres/postmaster.pid"), "utf8").split("\n")[0];
  process.kill(Number(postmaster), "SIGKILL");
  expect(await started.exited).toBe(1);
  expect(started.output()).toMatch(/✗ PostgreSQL has ended by itself\. Its log: .*server\.log\n/);
  await started.allGone(); // its backends notice by themselves
  expect(await leavesNothing(started)).toEqual([]);

  const next = await start({ root: copyOfRepository(), data: started.data });
  await next.ready();
});

test.concurrent("when a function's process is killed, the next request works", async () => {
  const started = await start({ root: copyOfRepository() });
  await started.ready();
  process.kill(await idOf(started, "health/index.ts"), "SIGKILL");
  await started.shows(/\[health\] The function "health" ended/);
  expect((await fetch(`${started.url}/functions/v1/health`)).status).toBe(200);
});

test.concurrent("functions are reloaded when their files change, break, are mended, and are new", async () => {
  const root = copyOfRepository();
  const started = await start({ root });
  await started.ready();
  const answers = async (name: string, expected: string) => {
    for (;;) {
      const answer = await (await fetch(`${started.url}/functions/v1/${name}`)).text();
      if (answer.includes(expected)) return;
      await sleep(20);
    }
  };
  const entry = path.join(root, "functions/health/index.ts");
  const original = readFileSync(entry, "utf8");
  const says = (text: string) => `export default { fetch: () => new Response(${JSON.stringify(text)}) };\n`;

  writeFileSync(entry, says("changed"));
  await answers("health", "changed");
  appendFileSync(entry, "const half: = ;\n");
  await started.shows(
    /\[health\] The function "health" does not start \(functions\/health\/index\.ts:2:13\)/,
  );
  await answers("health", "BOOT_ERROR");
  writeFileSync(entry, original);
  await answers("health", '"status":"ok"');

  mkdirSync(path.join(root, "functions/hello"));
  writeFileSync(path.join(root, "functions/hello/index.ts"), says("hello"));
  await answers("hello", "hello");

  started.interrupt();
  expect(await started.exited).toBe(0);
  expect(await leavesNothing(started)).toEqual([]);
});
