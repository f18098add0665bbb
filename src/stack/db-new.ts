// `npm run db:new add_widgets`: an empty migration that comes after all others, whatever the clock says.
import { readdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { repository } from "./repository.ts";

const [name = "", ...others] = process.argv.slice(2);
if (!/^\w+$/.test(name) || others.length > 0) {
  console.error("A migration needs a name of letters, digits and underscores: npm run db:new add_widgets");
  process.exit(2);
}
const versions = readdirSync(repository("supabase/migrations")).map((file) => Number.parseInt(file, 10) || 0);
const now = Number(new Date().toISOString().replace(/\D/g, "").slice(0, 14));
const file = `supabase/migrations/${Math.max(now, 1 + Math.max(0, ...versions))}_${name}.sql`;
writeFileSync(repository(file), "", { flag: "wx" });
console.log(`${file} made.`);
