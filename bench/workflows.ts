import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { createInterface } from "node:readline";
import { MongoClient } from "mongodb";
import { denoBinary } from "../src/stack/functions/deno.ts";
import { startMongo } from "../src/stack/mongo/mongo.ts";
import { freePort } from "../src/stack/ports.ts";
import { repository } from "../src/stack/repository.ts";
import { createScratch } from "../src/stack/scratch.ts";
import type { Benchmark } from "./bench.ts";
import { documentFigures } from "./document-figures.ts";
import { sideBySide } from "./side-by-side.ts";

const SECRET = "sb_secret_bench";
const ROUNDS = 2_000;

const benchmark: Benchmark = {
  about:
    "a published workflow read through the function, against a bare findOne of the same document, " +
    "and against a function that does nothing; a cache hit against a miss; activity against insertMany",

  async run(report) {
    const { folder, onProcess, remove } = createScratch();
    const mongo = await startMongo({
      uri: process.env["MONGODB_URI"],
      choice: "find",
      directory: folder,
      durable: true,
      onProcess,
    });
    const uri = new URL(mongo.uri as string);
    uri.pathname = `/nectar_bench_${randomUUID().slice(0, 8)}`;
    const client = await new MongoClient(uri.href).connect();
    const server = await startFunction(uri.href, folder);
    try {
      const { url, organizationId, workflowId } = server;
      const versions = client.db().collection("workflow_versions");
      const wanted = { organization_id: organizationId, workflow_id: workflowId, number: 1 };
      const size = String((await versions.findOne(wanted))?.["definition"]).length;
      const get = async (address: string) => {
        const response = await fetch(address, { headers: { apikey: SECRET } });
        if (response.status !== 200) throw new Error(`${address} answered ${response.status}`);
        return response.text();
      };
      report.step(`${ROUNDS} reads of a workflow of ${size} bytes; MongoDB: ${mongo.description}`);
      const times = await sideBySide(
        {
          findOne: () => versions.findOne(wanted),
          noop: () => get(`${url}/noop`),
          read: () => get(`${url}/workflows/published/${organizationId}/1?route=${workflowId}`),
        },
        ROUNDS,
      );
      for (const [name, ms] of Object.entries(times)) {
        report.row({ what: name, ms: ms.toFixed(3), "vs findOne": (ms / times.findOne).toFixed(2) });
      }
      report.ratio("read_vs_findone", times.read / times.findOne);
      report.ratio("read_vs_noop", times.read / times.noop);
      // What remains of a read when the function's own price, HTTP and authentication, is taken away.
      report.ratio("read_beyond_noop_vs_findone", (times.read - times.noop) / times.findOne);
      await documentFigures(uri.href, client.db(), report);
    } finally {
      await server.stop();
      await client.db().dropDatabase();
      await client.close();
      await mongo.stop();
      await remove();
    }
  },
};
export default benchmark;

/** The workflows function, with one published workflow, and one that does nothing. */
async function startFunction(mongoUri: string, folder: string) {
  const port = await freePort();
  const script = repository("bench/workflows-function.mjs");
  const child = spawn(
    denoBinary(),
    ["run", "--no-check", "--no-prompt", "-A", script, String(port), SECRET, mongoUri],
    {
      cwd: repository(),
      env: { ...process.env, DENO_DIR: path.join(folder, "deno"), NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill();
    await exited;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as { organizationId: string; workflowId: string };
    return { url: `http://127.0.0.1:${port}`, ...told, stop };
  }
  await stop();
  throw new Error("The function did not start.");
}
