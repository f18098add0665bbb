import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { StackFailure } from "../failure.ts";
import { repository } from "../repository.ts";

/** Environment for the Supabase CLI: no telemetry, no update notes, nobody to ask. */
export const cliEnvironment = {
  ...process.env,
  SUPABASE_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1",
  NO_COLOR: "1",
};

/** Applies what `supabase/migrations` has and the database has not, with the real `supabase db push`. */
export async function pushMigrations(url: string, { seed = false } = {}): Promise<void> {
  const cli = repository("node_modules/.bin/supabase");
  const args = ["db", "push", "--yes", `--remote=${url}`, ...(seed ? ["--include-seed"] : [])];
  try {
    await promisify(execFile)(cli, args, { cwd: repository(), env: cliEnvironment });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new StackFailure(`A migration failed:\n${stderr}${stdout}`.trim());
  }
}
