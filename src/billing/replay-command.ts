// `npm run stripe:replay -- <id …> | --dead | --since <time>`: events that could not be applied, applied once more.
import { parseArgs } from "node:util";
import { operatorsBackend } from "./operators-project.ts";
import { replay, type Selection } from "./replay.ts";

const usage = `npm run stripe:replay -- <event id …> | --dead | --since <time>

  evt_…     these
  --dead    all that failed too often to be tried again
  --since   all that failed, or whose customer was nobody's, and came since then: 2026-11-28 or 2026-11-28T09:30Z`;

function selectionOf(args: string[]): Selection | undefined {
  const { values, positionals } = parseArgs({
    args,
    options: { dead: { type: "boolean" }, since: { type: "string" } },
    allowPositionals: true,
  });
  const since = values.since === undefined ? undefined : new Date(values.since);
  if (since && Number.isNaN(since.getTime())) return undefined;
  if (positionals.some((id) => !/^evt_\w+$/.test(id))) return undefined;
  if (positionals.length === 0 && !values.dead && !since) return undefined;
  return {
    ...(positionals.length > 0 && { ids: positionals }),
    ...(values.dead && { dead: true }),
    ...(since && { since: since.toISOString() }),
  };
}

try {
  const selection = selectionOf(process.argv.slice(2));
  if (!selection) {
    console.error(usage);
    process.exitCode = 2;
  } else {
    const { replayed, failed } = await replay(operatorsBackend(), selection, (line) => console.log(line));
    const missing = (selection.ids?.length ?? 0) > replayed;
    console.log(`${replayed} replayed, ${failed} failed again.`);
    if (missing) console.error("✗ Not all of these events are in the ledger.");
    process.exitCode = failed > 0 || missing ? 1 : 0;
  }
} catch (error) {
  console.error(`✗ ${(error as Error).message}`);
  process.exitCode = 1;
}
