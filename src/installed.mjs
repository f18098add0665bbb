// Imported before npm's commands, and no TypeScript: it must be understood by any Node, and without any package.
import { existsSync } from "node:fs";
import process from "node:process";

const missing = !existsSync(new URL("../node_modules/supabase", import.meta.url));
const ignored =
  "Node.js 24 of the packages is not there. Run `npm ci --no-ignore-scripts`: install scripts fetch it.";
const problem = missing
  ? "The packages are not installed. Run `npm ci` first."
  : !process.features.typescript && ignored;
if (problem) {
  console.error(`\n✗ ${problem}\n`);
  process.exit(1);
}
