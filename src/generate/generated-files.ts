import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { repository } from "../stack/repository.ts";

/** A path below the repository's root, and what belongs there. */
export type GeneratedFile = [file: string, content: string];

/** Writes the files, or with `--check` on the command line names those that are not up to date and fails. */
export async function writeOrCheck(files: GeneratedFile[], command: string): Promise<void> {
  const check = process.argv.includes("--check");
  for (const [file, content] of files) {
    const current = await readFile(repository(file), "utf8").catch(() => "");
    if (current === content) continue;
    if (check) {
      console.error(`${file} is not up to date. Run \`${command}\` and commit the result.`);
      process.exitCode = 1;
    } else {
      await writeFile(repository(file), content);
      console.log(`${file} written.`);
    }
  }
}

/** Formats TypeScript as the repository does. */
export async function format(file: string, source: string): Promise<string> {
  const formatter = spawn(repository("node_modules/.bin/biome"), ["format", `--stdin-file-path=${file}`], {
    cwd: repository(),
    stdio: ["pipe", "pipe", "inherit"],
  });
  formatter.stdin.end(source);
  const formatted = await text(formatter.stdout);
  if (formatted === "") throw new Error(`biome did not format ${file}.`);
  return formatted;
}
