import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { expect, test } from "vitest";
import { type Process, processOf } from "../../src/stack/processes.ts";
import { copyOfRepository, organizationsOf, start, temporaryFolder } from "./support.ts";

const root = copyOfRepository();
const idOf = (line: string | undefined) => Number(/\d+/.exec(line ?? "")?.[0]);

test.concurrent("killed outright, its watchdog ends everything, and the next start works", async () => {
  const data = path.join(temporaryFolder(), "data");
  const killed = await start({ root, data });
  await killed.ready();
  killed.kill("SIGKILL");
  await killed.allGone();
  const next = await start({ root, data });
  const { publishableKey } = await next.ready();
  expect(await organizationsOf(next.url, publishableKey, "ada@example.com")).toHaveLength(1);
});

test.concurrent("killed outright in the middle of the start as well", async () => {
  const data = path.join(temporaryFolder(), "data");
  for (const moment of [/✓ PostgreSQL/, /✓ MongoDB/]) {
    const killed = await start({ root, data });
    await killed.shows(moment);
    killed.kill("SIGKILL");
    await killed.allGone();
  }
  await (await start({ root, data })).ready();
});

test.concurrent("killed together with its watchdog, the next start ends what is left, and the data is there", async () => {
  const data = path.join(temporaryFolder(), "data");
  const killed = await start({ root, data });
  await killed.ready();
  const watchdog = idOf((await killed.processes()).find((line) => line.includes("watchdog.ts")));
  process.kill(watchdog, "SIGKILL");
  killed.kill("SIGKILL");
  await killed.exited;
  const orphans = (await killed.processes()).map(idOf);
  expect(orphans.length).toBeGreaterThanOrEqual(2); // PostgreSQL and a function; MongoDB sees that its parent is gone

  const next = await start({ root, data, ports: [killed.port, killed.databasePort] });
  const { publishableKey } = await next.ready();
  expect(await organizationsOf(next.url, publishableKey, "ada@example.com")).toEqual(["Analytical Engines"]);
  const alive = (await next.processes()).map(idOf);
  expect(orphans.filter((orphan) => alive.includes(orphan))).toEqual([]);
});

test.concurrent("an orphaned PostgreSQL that is noted nowhere but in the cluster is ended too", async () => {
  const data = path.join(temporaryFolder(), "data");
  const killed = await start({ root, data });
  await killed.ready();
  const all = await killed.processes();
  const kill = (pattern: RegExp) => {
    for (const line of all) if (pattern.test(line)) process.kill(idOf(line), "SIGKILL");
  };
  kill(/watchdog\.ts/);
  killed.kill("SIGKILL");
  await killed.exited;
  kill(/\bdeno serve\b/);
  writeFileSync(path.join(data, "running.json"), "");
  await (await start({ root, data, ports: [killed.port, killed.databasePort] })).ready();
});

test.concurrent("a process that has the id of one of ours by now is left alone", async () => {
  const data = path.join(temporaryFolder(), "data");
  const first = await start({ root, data });
  await first.ready();
  first.interrupt();
  await first.exited;

  const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const its = processOf(bystander.pid ?? 0) as Process;
  const reused = { pid: its.pid, born: "before" };
  writeFileSync(path.join(data, "running.json"), JSON.stringify({ ...reused, url: "", children: [reused] }));
  const postmaster = path.join(data, "postgres/postmaster.pid");
  writeFileSync(postmaster, `${its.pid}\n`);
  const next = await start({ root, data });
  await next.ready();
  expect(readFileSync(postmaster, "utf8")).not.toMatch(new RegExp(`^${its.pid}\n`));
  expect(processOf(its.pid)).toEqual(its);
  bystander.kill("SIGKILL");
});
