import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { copyOfRepository, leavesNothing, type Started, start, temporaryFolder } from "./support.ts";

const root = copyOfRepository();

async function appears(started: Started, file: string): Promise<void> {
  while (!existsSync(path.join(started.data, file))) await sleep(2);
}

/** When the signal comes: each is the middle of a step. */
const moments: [string, (started: Started) => Promise<unknown>][] = [
  ["once the folder is claimed", (started) => appears(started, "running.json")],
  ["in the middle of initdb", (started) => appears(started, "postgres.initdb/base")],
  ["when PostgreSQL comes up", (started) => appears(started, "postgres/postmaster.pid")],
  ["in the middle of the migrations", (started) => started.shows(/✓ PostgreSQL/)],
  ["after the migrations", (started) => started.shows(/✓ Migrations/)],
  ["when functions start", (started) => started.shows(/✓ MongoDB/)],
  ["when the gateway starts", (started) => started.shows(/✓ Functions/)],
  ["while the first maintenance runs", (started) => started.shows(/Try next/)],
];

// Each start takes up what the interrupted one before left, so the last one proves them all.
test.concurrent.each(["SIGINT to the group", "SIGTERM"])("%s in the middle of each step", async (signal) => {
  const data = path.join(temporaryFolder(), "data");
  for (const [moment, comes] of moments) {
    const started = await start({ root, data });
    await comes(started);
    if (signal === "SIGTERM") started.kill(signal);
    else started.interrupt();
    expect(await started.exited, moment).toBe(0);
    expect(await leavesNothing(started), moment).toEqual([]);
    expect(started.output(), moment).not.toMatch(/✗|! | {4}at /);
  }
  await (await start({ root, data })).ready();
});
