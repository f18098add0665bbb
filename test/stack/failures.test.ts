import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { freePort } from "../../src/stack/ports.ts";
import {
  afterTests,
  copyOfRepository,
  leavesNothing,
  type Started,
  type StartOptions,
  start,
  temporaryFolder,
} from "./support.ts";

const root = copyOfRepository();

/** Ends with exit code 1 and one message; nothing runs. */
async function fails(options: Partial<StartOptions>, message: RegExp): Promise<Started> {
  const started = await start({ root, ...options });
  expect(await started.exited, started.output()).toBe(1);
  expect(started.output()).toMatch(message);
  expect(started.output().match(/^✗ /gm)).toHaveLength(1);
  expect(started.output()).not.toMatch(/^ +at .*(node:|src\/stack)/m);
  expect(await leavesNothing(started)).toEqual([]);
  return started;
}

async function listenOn(host: string): Promise<number> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  afterTests(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("ports", () => {
  test.concurrent.each(["127.0.0.1", "0.0.0.0", "::"])("in use on %s", async (host) => {
    const taken = await listenOn(host);
    const gateway = `✗ Port ${taken} is in use.\nFree it, or choose another one: NECTAR_PORT=`;
    await fails({ ports: [taken, await freePort()] }, new RegExp(gateway));
    await fails({ ports: [await freePort(), taken] }, new RegExp(gateway.replace("NECTAR", "NECTAR_DB")));
    await fails(
      { ports: [await freePort(), await freePort(), taken] },
      new RegExp(gateway.replace("NECTAR", "NECTAR_STRIPE")),
    );
  });

  test.concurrent("that is none", async () => {
    await fails(
      { environment: { NECTAR_PORT: "http" } },
      /✗ NECTAR_PORT is http: expected a port between 1 and/,
    );
  });
});

describe("MongoDB", () => {
  const password = "p@ss/word";
  test.concurrent("that refuses, or never answers", async () => {
    const data = path.join(temporaryFolder(), "data");
    for (const port of [await freePort(), await listenOn("127.0.0.1")]) {
      const environment = {
        MONGODB_URI: `mongodb://me:${encodeURIComponent(password)}@127.0.0.1:${port}/nectar?authSource=admin`,
      };
      const { output } = await fails(
        { data, environment },
        new RegExp(
          `✗ MongoDB at 127.0.0.1:${port} does not answer.\nStart it, mend MONGODB_URI, or unset it`,
        ),
      );
      expect(output()).not.toMatch(/p(@|%40)ss/);
    }
  });

  test.concurrent("whose address is wrong", async () => {
    const environment = { MONGODB_URI: `localhost:27017,${password}` };
    const { output } = await fails({ environment }, /✗ MONGODB_URI cannot be used \(MongoParseError\)/);
    expect(output()).not.toContain(password);
  });
});

test.concurrent("a second start on the same folder leaves the first alone", async () => {
  const first = await start({ root });
  await first.ready();
  const second = await start({ root, data: first.data });
  expect(await second.exited).toBe(1);
  expect(second.output()).toMatch(
    `✗ Nectar runs already from this folder, at ${first.url} (process ${first.pid}).\nStop it with Ctrl-C`,
  );
  expect((await fetch(`${first.url}/functions/v1/health`)).status).toBe(200);
  first.interrupt();
  expect(await first.exited).toBe(0);
  expect(await leavesNothing(first)).toEqual([]);
});

test.concurrent("of two starts at once, one has the folder", async () => {
  const data = path.join(temporaryFolder(), "data");
  const both = await Promise.all([start({ root, data }), start({ root, data })]);
  const ready = both.map((each) => each.ready().then(() => each));
  const winner = await Promise.any(ready);
  await Promise.allSettled(ready);
  const loser = both.find((each) => each !== winner);
  expect(await loser?.exited).toBe(1);
  expect(loser?.output()).toContain("✗ Nectar runs already");
});

test.concurrent("a migration that fails, then mended", async () => {
  const copy = copyOfRepository();
  const data = path.join(temporaryFolder(), "data");
  const migration = path.join(copy, "supabase/migrations/20991231000000_broken.sql");
  writeFileSync(migration, "create table public.fine (id int);\ncreate table public.broken (id nonsense);\n");
  const { output } = await fails(
    { root: copy, data },
    /✗ A migration failed:\nApplying migration 20991231000000_broken.sql...\nERROR: type "nonsense" does not exist/,
  );
  expect(output()).not.toMatch(/--debug|postgres:postgres@/);
  writeFileSync(migration, "create table public.fine (id int);\n");
  await (await start({ root: copy, data })).ready();
});

test.concurrent("migrations that are not those of the database", async () => {
  const copy = copyOfRepository();
  const data = path.join(temporaryFolder(), "data");
  const migration = (name: string) => path.join(copy, "supabase/migrations", name);
  writeFileSync(migration("20991231000000_last.sql"), "create table public.fine (id int);\n");
  const first = await start({ root: copy, data });
  await first.ready();
  first.interrupt();
  await first.exited;

  writeFileSync(migration("20981231000000_early.sql"), "");
  await fails(
    { root: copy, data },
    /later number[^\n]*--reset`:\nsupabase\/migrations\/20981231000000_early/,
  );
  rmSync(migration("20981231000000_early.sql"));
  rmSync(migration("20991231000000_last.sql"));
  const { output } = await fails({ root: copy, data }, /has 20991231000000,[^\n]*npm start -- --reset/);
  expect(output()).not.toContain("db-url");
});

test.concurrent("a function that does not compile", async () => {
  const copy = copyOfRepository();
  appendFileSync(path.join(copy, "functions/health/app.ts"), "\nconst half: = ;\n");
  const { output } = await fails(
    { root: copy },
    /✗ The function "health" does not start \(functions\/health\/app\.ts:\d+:\d+\):\n/,
  );
  expect(output().match(/half/g)).toHaveLength(1);
});

test.concurrent("a functions/.env that cannot be understood", async () => {
  const copy = copyOfRepository();
  const file = path.join(copy, "functions/.env");
  writeFileSync(file, "A=1\nsecret without a name\n");
  const { output } = await fails({ root: copy }, /✗ .*functions\/\.env, line 2: expected NAME=value/);
  expect(output()).not.toContain("secret");
  rmSync(file);
  mkdirSync(file);
  await fails({ root: copy }, /✗ .*functions\/\.env cannot be read \(EISDIR\)/);
});

test.concurrent("keys that are damaged", async () => {
  for (const damaged of ["{", '{"publishableKey":"sb_publishable_x"}']) {
    const data = temporaryFolder();
    writeFileSync(path.join(data, "keys.json"), damaged);
    await fails({ data }, /✗ The keys in .*keys\.json are damaged\.\nMend the file, or remove it/);
  }
});

test.concurrent("a data folder that cannot be made", async () => {
  const file = path.join(temporaryFolder(), "a-file");
  writeFileSync(file, "");
  await fails(
    { data: path.join(file, "data") },
    /✗ .*a-file.*\nNectar needs to read and write there; NECTAR_DATA=/,
  );
});
