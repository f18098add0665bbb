import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { StackFailure } from "../failure.ts";
import { repository } from "../repository.ts";

/** Environment for the Supabase CLI: no telemetry, no update notes, nobody to ask. */
export const cliEnvironment = {
  ...process.env,
  SUPABASE_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1",
  NO_COLOR: "1",
};

export interface PushOptions {
  /** Push the seed as well. */
  seed?: boolean;
  /** Is told the id of the CLI's process. */
  onProcess?: (pid: number) => void;
}

/** Applies what `supabase/migrations` has and the database has not, with the real `supabase db push`. */
export async function pushMigrations(url: string, { seed, onProcess }: PushOptions = {}): Promise<void> {
  const cli = repository("node_modules/supabase/dist/supabase.js");
  const child = spawn(
    process.execPath,
    [cli, "db", "push", "--yes", `--remote=${url}`, ...(seed ? ["--include-seed"] : [])],
    // In its own process group: a Ctrl-C in the terminal is the stack's to answer.
    { cwd: repository(), env: cliEnvironment, stdio: ["ignore", "pipe", "pipe"], detached: true },
  );
  if (child.pid) onProcess?.(child.pid);
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  if (code !== 0) throw new StackFailure(`A migration failed:\n${withoutChatter(errors + output)}`);
}

/** What the CLI says of the migration that failed, without those that did not and hints at its own flags. */
const withoutChatter = (output: string) =>
  output
    .replace(/^(Target: |Confirmed by --yes: |Try rerunning the command with --debug).*\n?/gm, "")
    .replace(/^Applying migration .*\n(?=Applying migration )/gm, "")
    .trim();
