import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
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
  const child = spawn(
    cli(),
    ["db", "push", "--yes", `--remote=${url}`, ...(seed ? ["--include-seed"] : [])],
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

/**
 * The CLI's own program, without the launcher that its package puts before it: a signal that meets the launcher while
 * that starts would end it alone, and the program would go on migrating.
 */
function cli(): string {
  const { resolve } = createRequire(repository("node_modules/supabase/package.json"));
  const system = process.platform === "win32" ? "windows" : process.platform;
  for (const variant of ["", "-musl"]) {
    try {
      const manifest = resolve(`@supabase/cli-${system}-${process.arch}${variant}/package.json`);
      return path.join(path.dirname(manifest), "bin", system === "windows" ? "supabase.exe" : "supabase");
    } catch {} // another libc's
  }
  throw new StackFailure(
    "The Supabase CLI has no program for this machine. Run `npm ci` without --omit=optional.",
  );
}

/** What the CLI says of the migration that failed, without those that did not, and with what is to be done here. */
const withoutChatter = (output: string) =>
  output
    .replace(
      /^Rerun the command with --include-all flag to apply these migrations:$/m,
      "Give these a later number than the last one's, as `npm run db:new` does, or start anew with `npm start -- --reset`:",
    )
    .replace(
      /^Make sure your local git repo is up-to-date\.[\s\S]*--status reverted ([\d ]+\d)[\s\S]*/m,
      "The local database has $1, of another branch perhaps. Bring it back, or start anew with `npm start -- --reset`.",
    )
    .replace(/^(Target: |Confirmed by --yes: |Try rerunning the command with --debug).*\n?/gm, "")
    .replace(/^Applying migration .*\n(?=Applying migration )/gm, "")
    .trim();
