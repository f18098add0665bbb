import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { denoBinary, hostedDenoBinary } from "../stack/functions/deno.ts";
import { repository } from "../stack/repository.ts";

const run = promisify(execFile);

// Calls a function with a fetch that answers by itself, and says what came back.
const program = (client: string) => `
import { createNectarClient, NectarError } from ${JSON.stringify(client)};
const answers = [
  Response.json({ status: "ok", version: "1" }),
  Response.json({ error: { code: "invalid_api_key", message: "No.", request_id: "r" } }, { status: 401 }),
];
const nectar = createNectarClient({
  url: "http://nectar.test",
  publishableKey: "sb_publishable_1",
  options: { fetch: async () => answers.shift(), auth: { persistSession: false, autoRefreshToken: false } },
});
const good = await nectar.functions.GET("/health");
const bad = await nectar.functions.GET("/health");
console.log(good.data.version, bad.error.code, bad.error instanceof NectarError);
`;

async function runWith(command: string, args: string[], client: string): Promise<string> {
  await mkdir(repository(".nectar"), { recursive: true });
  const folder = await mkdtemp(repository(".nectar/client-"));
  try {
    const file = path.join(folder, "program.mjs");
    await writeFile(file, program(client));
    const env = {
      ...process.env,
      DENO_DIR: repository(".nectar/deno"),
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
    };
    return (await run(command, [...args, file], { cwd: repository(), env })).stdout.trim();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const source = repository("src/client/index.ts");
const expected = "1 invalid_api_key true";

test("works in Node", async () => {
  expect(await runWith(process.execPath, [], source)).toBe(expected);
});

test.each([
  ["current", denoBinary()],
  ["hosted", hostedDenoBinary()],
])("works in the %s Deno", async (_, deno) => {
  if (!deno) return console.warn("skipped: npm has no binary of the hosted Deno for this platform");
  expect(await runWith(deno, ["run", "--no-prompt", "--allow-env", "--allow-read=."], source)).toBe(expected);
});

test("works as a browser bundle: no part of Node in it, and not larger than supabase-js makes it", async () => {
  const bundle = async (stdin: string) => {
    const { outputFiles, metafile } = await build({
      stdin: { contents: stdin, resolveDir: repository(), loader: "ts" },
      bundle: true,
      format: "esm",
      platform: "browser",
      minify: true,
      metafile: true,
      write: false,
      logLevel: "silent",
    });
    return {
      text: outputFiles[0]?.text ?? "",
      inputs: Object.keys(metafile.inputs),
      outputs: metafile.outputs,
    };
  };
  const ours = await bundle(`export * from "./src/client/index.ts";`);
  const supabase = await bundle(`export { createClient } from "@supabase/supabase-js";`);

  expect(Object.values(ours.outputs).flatMap(({ imports }) => imports)).toEqual([]);
  expect(ours.inputs.filter((file) => file.startsWith("src/") && !file.startsWith("src/client/"))).toEqual(
    [],
  );
  expect(ours.text).not.toMatch(/\bfrom"node:|require\("node:/);
  // Each area of the backend takes a kilobyte, compressed.
  const kilobytes = (text: string) => gzipSync(text).byteLength / 1024;
  expect(kilobytes(ours.text) - kilobytes(supabase.text)).toBeLessThan(14);

  await mkdir(repository(".nectar"), { recursive: true });
  const folder = await mkdtemp(repository(".nectar/bundle-"));
  const file = path.join(folder, "nectar.mjs");
  await writeFile(file, ours.text);
  expect(await runWith(process.execPath, [], file)).toBe(expected);
  await rm(folder, { recursive: true, force: true });
});
