// `npm start`: the whole backend in the foreground, until Ctrl-C.
import { existsSync } from "node:fs";
import process from "node:process";
import { repository } from "./repository.ts";

if (existsSync(repository("node_modules/supabase"))) {
  await import("./foreground.ts");
} else {
  console.error("\n✗ The packages are not installed. Run `npm ci` first.\n");
  process.exitCode = 1;
}
