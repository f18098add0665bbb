import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { repository } from "../repository.ts";
import { denoBinary, hostedDenoBinary } from "./deno.ts";
import { type FunctionsHost, type FunctionsHostOptions, startFunctionsHost } from "./host.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

const serves = (body: string) => `export default { async fetch(request: Request) { ${body} } };\n`;
const says = (text: string) => serves(`return new Response(${JSON.stringify(text)});`);

/** A folder of functions inside the repository, where Deno finds its settings. */
async function createFolder(files: Record<string, string>) {
  await mkdir(repository(".nectar"), { recursive: true });
  const directory = await mkdtemp(repository(".nectar/functions-"));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const write = async (file: string, content: string) => {
    await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
    await writeFile(path.join(directory, file), content);
  };
  for (const [file, content] of Object.entries(files)) await write(file, content);
  return { directory, write };
}

async function startHost(files: Record<string, string>, options: Partial<FunctionsHostOptions> = {}) {
  const { directory, write } = await createFolder(files);
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const log = (name: string, line: string) => {
    lines.push(`${name}: ${line}`);
    for (const check of waiting) check();
  };
  const host = await startFunctionsHost({ directory, environment: {}, log, ...options });
  cleanups.push(() => host.close());
  const server = http.createServer((incoming, outgoing) => host.handle(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    host,
    directory,
    write,
    url,
    lines,
    text: async (at: string) => (await fetch(url + at)).text(),
    /** Resolves when a line of the log matches. */
    logged: (pattern: RegExp) =>
      new Promise<void>((resolve) => {
        const check = () => {
          if (!lines.some((line) => pattern.test(line))) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

/** Asks again until the answer is as expected: file events take their time. */
async function eventually<T>(ask: () => Promise<T>, expected: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (expected(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const binaries = { current: denoBinary(), hosted: hostedDenoBinary() };

test.each(Object.entries(binaries))("serves functions on the %s Deno", async (_, deno) => {
  if (!deno) return console.warn("skipped: npm has no binary of the hosted Deno for this platform");
  const { host, text } = await startHost(
    {
      "one/index.ts": serves(
        `return new Response(new URL(request.url).pathname + new URL(request.url).search);`,
      ),
      "two/index.ts": says("two"),
      "_shared/index.ts": says("not a function"),
      "notes/readme.md": "not a function",
    },
    { deno },
  );
  expect(host.names).toEqual(["one", "two"]);
  expect(await text("/one/a/b?c=%20d")).toBe("/one/a/b?c=%20d");
  expect(await text("/two")).toBe("two");
  expect(host.pids).toHaveLength(2);
});

test("functions see the platform's environment, and nothing of the host's", async () => {
  process.env["NECTAR_CANARY"] = "1";
  const { text } = await startHost(
    { "env/index.ts": serves("return Response.json(Object.keys(Deno.env.toObject()).sort());") },
    { environment: { SUPABASE_URL: "http://127.0.0.1:1", EMPTY: "" } },
  );
  const names: string[] = JSON.parse(await text("/env"));
  expect(names).toEqual(expect.arrayContaining(["EMPTY", "SUPABASE_URL"]));
  // Newer Denos add a PATH of their own.
  const denos = /^(DENO_\w+|NO_COLOR|PATH)$/;
  expect(names.filter((name) => !denos.test(name))).toEqual(["EMPTY", "SUPABASE_URL"]);
});

test("functions may not write files, start programs, or read outside of the repository", async () => {
  const { text } = await startHost({
    "thief/index.ts": serves(`
      const tries = [() => Deno.readTextFileSync("/etc/passwd"), () => Deno.writeTextFileSync("x", ""),
        () => new Deno.Command("/bin/sh").outputSync()];
      return Response.json(tries.map((attempt) => { try { attempt(); return "done"; } catch (e) { return e.name; } }));`),
  });
  expect(JSON.parse(await text("/thief"))).toEqual(["NotCapable", "NotCapable", "NotCapable"]);
});

test("method, headers and body go in; status, headers and body come out", async () => {
  const { url } = await startHost({
    "echo/index.ts": serves(`
      const headers = new Headers({ "x-seen": request.headers.get("x-sent") ?? "", "x-method": request.method });
      headers.append("set-cookie", "a=1"); headers.append("set-cookie", "b=2");
      return new Response(await request.text(), { status: 418, headers });`),
  });
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    const response = await fetch(`${url}/echo`, { method, body: "päyload", headers: { "x-sent": "yes" } });
    expect(response.status).toBe(418);
    expect(response.headers.get("x-method")).toBe(method);
    expect(response.headers.get("x-seen")).toBe("yes");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.text()).toBe("päyload");
  }
  const head = await fetch(`${url}/echo`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([418, ""]);
});

test("bodies are streamed both ways: each part is answered before the next is sent", async () => {
  const { url } = await startHost({
    "echo/index.ts": serves(`return new Response(request.body);`),
  });
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const first = writer.write(new TextEncoder().encode("one"));
  const response = await fetch(`${url}/echo`, {
    method: "DELETE",
    body: readable,
    duplex: "half",
  } as RequestInit);
  await first;
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader?.read())?.value).toBe("one");
  await writer.write(new TextEncoder().encode("two"));
  expect((await reader?.read())?.value).toBe("two");
  await writer.close();
  expect((await reader?.read())?.done).toBe(true);
});

test("a large body arrives whole", async () => {
  const { url } = await startHost({
    "size/index.ts": serves(`return new Response(String((await request.arrayBuffer()).byteLength));`),
  });
  const response = await fetch(`${url}/size`, { method: "POST", body: new Uint8Array(20 * 1024 * 1024) });
  expect(await response.text()).toBe(String(20 * 1024 * 1024));
});

test("a function that answers without reading the body is heard", async () => {
  const { url } = await startHost({
    "refuse/index.ts": serves(`return new Response("too much", { status: 413 });`),
  });
  const response = await fetch(`${url}/refuse`, { method: "POST", body: new Uint8Array(1024 * 1024) });
  expect([response.status, await response.text()]).toEqual([413, "too much"]);
});

test("when the caller goes, the function is told", async () => {
  const { url, logged } = await startHost({
    "wait/index.ts": serves(`
      console.log("waiting");
      await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
      console.log("told");
      return new Response("");`),
  });
  const controller = new AbortController();
  const request = fetch(`${url}/wait`, { signal: controller.signal });
  await logged(/waiting/);
  controller.abort();
  await expect(request).rejects.toThrow();
  await logged(/told/);
});

test("a function that does not exist", async () => {
  const { url } = await startHost({ "one/index.ts": says("one"), "_shared/index.ts": says("shared") });
  for (const at of ["/two", "/_shared", "/", "//one", "/one%2f", "/ONE"]) {
    const response = await fetch(url + at);
    expect(response.status, at).toBe(404);
    expect(response.headers.get("sb-error-code")).toBe("NOT_FOUND");
    expect(await response.json()).toEqual({ code: "NOT_FOUND", message: "Requested function was not found" });
  }
});

test("what functions write comes line by line", async () => {
  const { text, lines, logged } = await startHost({
    "talk/index.ts": serves(
      `console.log("to out\\nsecond"); console.error("to err"); return new Response("");`,
    ),
  });
  await text("/talk");
  await Promise.all([logged(/to out/), logged(/second/), logged(/to err/)]);
  expect(lines.sort()).toEqual(["talk: second", "talk: to err", "talk: to out"]);
});

test("a throw stays in its request, a crash in its function, and the next request starts it anew", async () => {
  const { host, url, text, logged } = await startHost({
    "fragile/index.ts": serves(`
      const path = new URL(request.url).pathname;
      if (path.endsWith("throw")) throw new Error("thrown");
      if (path.endsWith("exit")) Deno.exit(3);
      if (path.endsWith("later")) queueMicrotask(() => { throw new Error("nobody catches this"); });
      if (path.endsWith("half")) {
        setTimeout(() => Deno.exit(3));
        return new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode("half")) }));
      }
      return new Response("alive " + Deno.pid);`),
    "steady/index.ts": serves(`return new Response("steady " + Deno.pid);`),
  });
  const steady = await text("/steady");
  const before = await text("/fragile");
  expect((await fetch(`${url}/fragile/throw`)).status).toBe(500);
  expect(await text("/fragile")).toBe(before);

  const crashed = await fetch(`${url}/fragile/exit`);
  expect(crashed.status).toBe(500);
  expect(await crashed.json()).toMatchObject({ code: "WORKER_ERROR" });
  // Until the host has seen it end, a request may still meet the dying process.
  const alive = () => expect.poll(() => text("/fragile"), { timeout: 10_000 }).toMatch(/^alive/);
  await alive();
  expect(await text("/fragile")).not.toBe(before);
  await logged(/The function "fragile" ended/);

  await expect(fetch(`${url}/fragile/half`).then((response) => response.text())).rejects.toThrow();
  await fetch(`${url}/fragile/later`).catch(() => {});
  await alive();
  expect(await text("/steady")).toBe(steady);
  expect(host.pids).toHaveLength(2);
});

test("a loop holds up its own function alone, is cut off at the limit, and the next request finds a new process", async () => {
  const { url, text } = await startHost(
    {
      "loop/index.ts": serves(`if (request.url.endsWith("forever")) for (;;); return new Response("free");`),
      "other/index.ts": says("other"),
    },
    { requestLimitMs: 4000 },
  );
  const looping = fetch(`${url}/loop/forever`);
  expect(await text("/other")).toBe("other");
  const response = await looping;
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ code: "IDLE_TIMEOUT" });
  expect(await text("/loop")).toBe("free");
});

const broken = {
  "syntax error in an import": {
    files: {
      "bad/index.ts": `import "./other.ts";\n${says("")}`,
      "bad/other.ts": "const a = 1;\nexport const b = ;\n",
    },
    says: /^The function "bad" does not start \(\.nectar\/functions-\w+\/bad\/other\.ts:2:18\):\n.*Expression expected/s,
  },
  "missing module": {
    files: { "bad/index.ts": `import "./none.ts";\n${says("")}` },
    says: /^The function "bad" does not start \(.*bad\/index\.ts:1:8\):\nModule not found .*none\.ts/,
  },
  "exception at the top level": {
    files: { "bad/index.ts": `throw new Error("no settings");\n` },
    says: /^The function "bad" does not start \(.*bad\/index\.ts:1:7\):\n.*no settings/,
  },
  "no handler": {
    files: { "bad/index.ts": "export const a = 1;\n" },
    says: /^The function "bad" does not start:\n.*export default \{ fetch \}/,
  },
  "endless start": {
    files: { "bad/index.ts": `await new Promise((resolve) => setTimeout(resolve, 1e6));\n${says("")}` },
    says: /^The function "bad" does not start:\nIt does not listen after 0\.8 s/,
  },
};

test.each(Object.entries(broken))(
  "a function that does not start is one clear message: %s",
  async (_, fault) => {
    for (const deno of Object.values(binaries)) {
      if (!deno) continue;
      const { directory } = await createFolder(fault.files);
      let alive: number[] = [];
      const log: string[] = [];
      const starting = startFunctionsHost({
        directory,
        environment: {},
        deno,
        bootLimitMs: fault === broken["endless start"] ? 800 : 30_000,
        log: (_, line) => log.push(line),
        onProcesses: (pids) => {
          alive = pids;
        },
      });
      const failure = await starting.catch((error: Error) => error);
      expect(failure).toMatchObject({ name: "StackFailure", message: expect.stringMatching(fault.says) });
      expect((failure as Error).message).not.toContain("\u001b");
      expect(alive).toEqual([]);
    }
  },
);

test("all functions that do not start are named at once", async () => {
  const { directory } = await createFolder({ "a/index.ts": "(", "b/index.ts": "(" });
  const starting = startFunctionsHost({ directory, environment: {}, log: () => {} });
  await expect(starting).rejects.toThrow(/"a" does not start.*"b" does not start/s);
});

test("a changed function starts anew, the others do not; all do when what they share changes", async () => {
  const pid = (note: string) => serves(`return new Response("${note} " + Deno.pid);`);
  const { write, text } = await startHost(
    { "one/index.ts": pid("v1"), "two/index.ts": pid("v1"), "_shared/a.ts": "" },
    { watch: true },
  );
  const [one, two] = [await text("/one"), await text("/two")];

  await write("one/index.ts", pid("v2"));
  const changed = await eventually(
    () => text("/one"),
    (answer) => answer.startsWith("v2"),
  );
  expect(changed).not.toBe(one);
  expect(await text("/two")).toBe(two);

  await write("_shared/a.ts", "export {};");
  await eventually(
    () => text("/two"),
    (answer) => answer !== two,
  );
  await eventually(
    () => text("/one"),
    (answer) => answer !== changed,
  );
});

test("a file is watched on when it has been replaced, as editors and git save, and so is a folder", async () => {
  const { write, directory, text } = await startHost(
    { "one/index.ts": `export { default } from "./part/says.ts";\n`, "one/part/says.ts": says("v1") },
    { watch: true },
  );
  const answers = (version: string) =>
    eventually(
      () => text("/one"),
      (answer) => answer === version,
    );
  await write("one/part/says.ts~", says("v2"));
  await rename(path.join(directory, "one/part/says.ts~"), path.join(directory, "one/part/says.ts"));
  await answers("v2");
  await write("one/part/says.ts", says("v3"));
  await answers("v3");

  await rm(path.join(directory, "one/part"), { recursive: true });
  await write("one/part/says.ts", says("v4"));
  await answers("v4");
  await write("one/part/says.ts", says("v5"));
  await answers("v5");
});

test("a new function is served, a deleted one is not", async () => {
  const { write, directory, host, url } = await startHost({ "one/index.ts": says("one") }, { watch: true });
  const status = async (at: string) => (await fetch(url + at)).status;
  await write("two/index.ts", says("two"));
  await eventually(
    () => status("/two"),
    (code) => code === 200,
  );
  expect(host.names).toEqual(["one", "two"]);

  await rm(path.join(directory, "one"), { recursive: true });
  await eventually(
    () => status("/one"),
    (code) => code === 404,
  );
  expect(host.names).toEqual(["two"]);
});

test("a function that no longer compiles answers 503, says why once, and comes back", async () => {
  const { host, write, url, text, lines, logged } = await startHost(
    { "one/index.ts": says("v1") },
    { watch: true },
  );
  await write("one/index.ts", "export default {");
  await logged(/"one" does not start/);
  for (let times = 0; times < 3; times++) {
    const response = await fetch(`${url}/one`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: "BOOT_ERROR" });
  }
  await host.reload(["one"]);
  expect(lines.filter((line) => line.includes("does not start"))).toHaveLength(1);

  await write("one/index.ts", says("v2"));
  await eventually(
    () => text("/one"),
    (answer) => answer === "v2",
  );
  expect(host.pids).toHaveLength(1);
});

test("no request is lost while functions start anew", async () => {
  const { host, url, text } = await startHost({
    "slow/index.ts": serves(
      `await new Promise((resolve) => setTimeout(resolve, 30)); return new Response("ok");`,
    ),
  });
  let reloading = true;
  const statuses: number[] = [];
  const callers = Array.from({ length: 8 }, async () => {
    while (reloading) statuses.push((await fetch(`${url}/slow`)).status);
  });
  // Each begins with calls on their way, however fast the machine is.
  const moreAnswers = async () => {
    const before = statuses.length;
    await eventually(
      async () => statuses.length,
      (answered) => answered > before,
    );
  };
  for (let times = 0; times < 5; times++) {
    await moreAnswers();
    await host.reload();
  }
  // Two at once: the one before has not started when the next begins.
  await Promise.all([host.reload(), host.reload()]);
  reloading = false;
  await Promise.all(callers);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await text("/slow")).toBe("ok");
  await eventually(
    async () => host.pids.length,
    (count) => count === 1,
  );
});

test("close leaves no process, whatever functions do", async () => {
  const told: number[][] = [];
  const { host, url, logged } = await startHost(
    {
      "loop/index.ts": serves(`console.log("looping"); for (;;);`),
      "stubborn/index.ts": `Deno.addSignalListener("SIGTERM", () => {});\n${says("")}`,
      "idle/index.ts": says(""),
    },
    { onProcesses: (pids) => told.push(pids) },
  );
  const { pids } = host;
  expect(pids).toHaveLength(3);
  expect(told.at(-1)).toEqual(pids);
  const looping = fetch(`${url}/loop`).catch(() => {});
  await logged(/looping/);

  const closing: Promise<void> = (host satisfies FunctionsHost).close();
  await closing;
  expect(pids.filter(isAlive)).toEqual([]);
  expect(host.pids).toEqual([]);
  expect(told.at(-1)).toEqual([]);
  await looping;
});

test("close ends what is still starting", async () => {
  const { host, write } = await startHost({ "one/index.ts": says("") });
  await write(
    "one/index.ts",
    `console.log("boots"); await new Promise((r) => setTimeout(r, 1e6));\n${says("")}`,
  );
  const reloading = host.reload();
  await host.close();
  await reloading;
  expect(host.pids).toEqual([]);
});
