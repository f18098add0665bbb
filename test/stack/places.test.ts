// Where and as whom it runs.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { expect, test } from "vitest";
import { removeCluster } from "../../src/stack/postgres/server.ts";
import { repository } from "../../src/stack/repository.ts";
import {
  afterTests,
  copyOfRepository,
  leavesNothing,
  organizationsOf,
  start,
  temporaryFolder,
} from "./support.ts";

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn("Not root: running as root, and as another user, is not tested.");
const asRoot = test.skipIf(!isRoot);

async function works(options: Parameters<typeof start>[0]): Promise<void> {
  const started = await start(options);
  const { publishableKey } = await started.ready();
  expect(await organizationsOf(started.url, publishableKey, "ada@example.com")).toEqual([
    "Analytical Engines",
  ]);
  expect((await fetch(`${started.url}/functions/v1/health`)).status).toBe(200);
  started.interrupt();
  expect(await started.exited).toBe(0);
  expect(await leavesNothing(started)).toEqual([]);
}

test.concurrent("in a folder with spaces, commas and other letters", async () => {
  const root = copyOfRepository(path.join(temporaryFolder(), "Bienen & Blüten, 蜜"));
  await works({ root, data: path.join(root, ".nectar") });
});

asRoot.concurrent("as root, in a clone that is closed to everybody else", async () => {
  const closed = fs.mkdtempSync(path.join(tmpdir(), "nectar-closed-"));
  afterTests(() => fs.rmSync(closed, { recursive: true, force: true }));
  const root = copyOfRepository(path.join(closed, "nectar"));
  const data = path.join(root, ".nectar");
  const cluster = path.join(data, "postgres");
  await works({ root, data });
  const stood = fs.realpathSync(cluster);
  expect(stood).toMatch(/^\/var\/lib\/nectar\//);
  await works({ root, data, args: ["--reset"] });
  expect(fs.existsSync(stood)).toBe(false);

  // A clone that is removed takes its database with it, at the next start of any other.
  const abandoned = fs.realpathSync(cluster);
  fs.rmSync(closed, { recursive: true });
  const next = await start({ root: copyOfRepository() });
  await next.shows(/✓ PostgreSQL/);
  expect(fs.existsSync(path.dirname(abandoned))).toBe(false);
});

asRoot.concurrent("as an ordinary user, to whom node_modules is read-only", async ({ skip }) => {
  const id = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  const user = { uid: id("-u"), gid: id("-g") };
  const root = copyOfRepository();
  execFileSync("chown", ["-RPh", `${user.uid}:${user.gid}`, path.dirname(root)]);
  try {
    execFileSync(repository("node_modules/.bin/node"), ["--version"], user);
  } catch {
    console.warn("This checkout is closed to other users: running as one is not tested.");
    skip();
  }
  const environment = { HOME: path.dirname(root), USER: "nobody" };
  const data = path.join(root, ".nectar");
  await works({ root, data, user, environment });
  // `sudo npm start` after it takes the cluster as it is, and leaves it to its owner.
  await works({ root, data });
  await works({ root, data, user, environment });

  fs.chmodSync(path.join(data, "keys.json"), 0o600);
  fs.chownSync(path.join(data, "keys.json"), 0, 0);
  const refused = await start({ root, data, user, environment });
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toMatch(
    /✗ EACCES: permission denied, open '.*keys\.json'\.\nNectar needs to read/,
  );
  removeCluster(path.join(data, "postgres"));
});
