// `npm test`: everything that is promised, proven. `npm test -- database` runs the steps whose name begins so.
import { execFile } from "node:child_process";
import path from "node:path";
import process from "node:process";
import { denoBinary, hostedDenoBinary } from "../src/stack/functions/deno.ts";
import { startMongo } from "../src/stack/mongo/mongo.ts";
import { repository } from "../src/stack/repository.ts";
import { createScratch } from "../src/stack/scratch.ts";

interface Step {
  name: string;
  command: string;
  environment?: Record<string, string>;
  /** Its tests write documents: it gets a MONGODB_URI, the one given or one of a server started for it. */
  documents?: true;
}

const deno = (binary: string) => ({
  DENO: binary,
  DENO_DIR: repository(".nectar/deno"),
  DENO_NO_UPDATE_CHECK: "1",
});
// A MongoDB that is given may be anywhere.
const reached = process.env["MONGODB_URI"] ? "--allow-net" : "--allow-net=127.0.0.1";
const denoTest = `--no-check --no-prompt ${reached} --allow-env --allow-sys --allow-read=. functions/*/*.test.ts`;

function denoSteps(label: string, binary: string): Step[] {
  const environment = deno(binary);
  return [
    { name: `functions: types, Deno ${label}`, command: '"$DENO" check functions/*/*.ts', environment },
    {
      name: `functions: tests, Deno ${label}`,
      command: `"$DENO" test ${denoTest}`,
      environment,
      documents: true,
    },
  ];
}

const hosted = hostedDenoBinary();
const project = (name: string) => `vitest run --project ${name}`;
const steps: Step[] = [
  { name: "style", command: "biome check" },
  { name: "types", command: "tsc --noEmit" },
  {
    name: "functions: style",
    command: '"$DENO" fmt --check --quiet && "$DENO" lint --quiet',
    environment: deno(denoBinary()),
  },
  ...denoSteps("current", denoBinary()),
  ...(hosted ? denoSteps("2.1.14, as hosted", hosted) : []),
  { name: "generated: functions", command: "node src/generate/functions.ts --check" },
  { name: "generated: database", command: "node src/generate/database.ts --check" },
  { name: "generated: permissions", command: "node src/generate/permissions.ts --check" },
  { name: "unit", command: project("unit") },
  { name: "connections", command: project("connections") },
  { name: "mongo", command: project("mongo") },
  { name: "database: pgTAP", command: project("pgtap") },
  { name: "database", command: project("database") },
  // Against a project that is given, the files share one database.
  {
    name: "gateway",
    command: project("gateway") + (process.env["SUPABASE_URL"] ? " --no-file-parallelism" : ""),
  },
  { name: "billing", command: project("billing") },
  { name: "journeys", command: project("journeys") },
  { name: "stack", command: project("stack") },
];

const wanted = process.argv.slice(2);
const chosen = steps.filter(
  ({ name }) => wanted.length === 0 || wanted.some((start) => name.startsWith(start)),
);
if (chosen.length === 0) {
  console.error(
    `No step begins with ${wanted.join(" or ")}. There are:\n  ${steps.map((s) => s.name).join("\n  ")}`,
  );
  process.exit(2);
}
if (!hosted)
  console.log(
    "! Deno 2.1.14 cannot be had for this platform: functions are tested on the current one alone.",
  );

const scratch = chosen.some(({ documents }) => documents) ? createScratch() : undefined;
const mongo =
  scratch &&
  (await startMongo({
    uri: process.env["MONGODB_URI"],
    choice: "own",
    directory: scratch.folder,
    durable: false,
    onProcess: scratch.onProcess,
  }));

let failed = 0;
for (const step of chosen) {
  const begun = performance.now();
  const { ok, output } = await run(step);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(5);
  console.log(`${ok ? "✓" : "✗"} ${step.name.padEnd(40)} ${seconds} s`);
  if (ok) continue;
  failed++;
  console.log(`\n${output.trim()}\n`);
}
await mongo?.stop();
await scratch?.remove();
console.log(`\nsteps: ${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

function run({ command, environment, documents }: Step): Promise<{ ok: boolean; output: string }> {
  const PATH = [repository("node_modules/.bin"), process.env["PATH"]].join(path.delimiter);
  const env = {
    ...process.env,
    PATH,
    NO_COLOR: "1",
    ...(documents && mongo?.uri && { MONGODB_URI: mongo.uri }),
    ...environment,
  };
  return new Promise((resolve) => {
    execFile(
      "sh",
      ["-c", command],
      { cwd: repository(), env, maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        resolve({ ok: !error, output: stdout + stderr });
      },
    );
  });
}
