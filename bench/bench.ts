import { parseArgs } from "node:util";

/** One benchmark: prepares, measures side by side, and cleans up after itself. */
export interface Benchmark {
  /** A sentence that says what is compared with what. */
  about: string;
  run(report: Report): Promise<void>;
}

/** What a benchmark tells: steps while it works, rows for people, ratios for scripts. */
export interface Report {
  step(text: string): void;
  row(cells: Record<string, string | number>): void;
  /** A ratio, or a figure, under the name that scripts read. */
  ratio(name: string, value: number): void;
}

const benchmarks: Record<string, () => Promise<{ default: Benchmark }>> = {
  audit: () => import("./audit.ts"),
  connections: () => import("./connections.ts"),
  keys: () => import("./keys.ts"),
  rls: () => import("./rls.ts"),
  usage: () => import("./usage.ts"),
  webhook: () => import("./webhook.ts"),
  workflows: () => import("./workflows.ts"),
};

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean", default: false } },
  allowPositionals: true,
  strict: false,
});
const unknown = [
  ...positionals.filter((name) => !Object.hasOwn(benchmarks, name)),
  ...Object.keys(values)
    .filter((flag) => flag !== "json")
    .map((flag) => `--${flag}`),
];
if (unknown.length > 0) {
  console.error(`No benchmark ${unknown.join(", ")}. There are: ${Object.keys(benchmarks).join(", ")}.`);
  process.exit(2);
}

const ratios: Record<string, number> = {};
for (const name of positionals.length > 0 ? positionals : Object.keys(benchmarks)) {
  const { default: benchmark } = (await benchmarks[name]?.()) ?? {};
  if (!benchmark) continue;
  const rows: Record<string, string | number>[] = [];
  console.error(`\n${name}: ${benchmark.about}`);
  await benchmark.run({
    step: (text) => console.error(`  ${text}`),
    row: (cells) => rows.push(cells),
    ratio: (key, value) => {
      ratios[key] = Number(value.toFixed(3));
    },
  });
  if (!values.json) console.table(rows);
}
if (values.json) console.log(JSON.stringify(ratios));
else console.table(ratios);
