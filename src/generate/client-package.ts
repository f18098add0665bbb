// Writes dist/package.json: the client as a package of its own. The repository's would bring PostgreSQL and Deno along.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { repository } from "../stack/repository.ts";

const { name, version, description, type, dependencies } = JSON.parse(
  readFileSync(repository("package.json"), "utf8"),
);
const exports = { "./client": { types: "./src/client/index.d.ts", default: "./src/client/index.js" } };
const manifest = { name, version, description, type, exports, dependencies };
const [folder = repository("dist")] = process.argv.slice(2);
writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
