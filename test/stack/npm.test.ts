import { expect, test } from "vitest";
import { copyOfRepository, leavesNothing, start } from "./support.ts";

const root = copyOfRepository();
const command = ["npm", "start"];

test.concurrent("Ctrl-C in a terminal, which npm passes on once more", async () => {
  const started = await start({ root, command });
  await started.ready();
  started.interrupt();
  await started.exited;
  expect(await leavesNothing(started)).toEqual([]);
  expect(started.output()).not.toMatch(/npm (error|ERR)/);
});

test.concurrent.each(["SIGTERM", "SIGKILL"] as const)("%s to npm alone", async (signal) => {
  const started = await start({ root, command });
  await started.shows(/✓ PostgreSQL/);
  started.kill(signal);
  await started.exited;
  await started.allGone();
  expect(await leavesNothing(started)).toEqual([]);
  await (await start({ root, command, data: started.data })).ready();
});

test.concurrent("flags and exit codes", async () => {
  const help = await start({ root, command, args: ["--", "--help"] });
  expect(await help.exited).toBe(0);
  expect(help.output()).toContain("NECTAR_DATA");
  const wrong = await start({ root, command, args: ["--", "--nope"] });
  expect(await wrong.exited).toBe(1);
});
