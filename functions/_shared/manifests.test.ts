import assert from "node:assert/strict";
import { version } from "./version.ts";

const root = new URL("../../", import.meta.url);
const readJson = async (path: string) => JSON.parse(await Deno.readTextFile(new URL(path, root)));

const { workspace } = await readJson("deno.json") as { workspace: string[] };
const manifest = await readJson("package.json") as Record<string, Record<string, string>>;
const installed = { ...manifest["dependencies"], ...manifest["devDependencies"] };

Deno.test("every folder of functions is in the workspace", async () => {
  const folders = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL("functions/", root))) {
    if (isDirectory) folders.push(`./functions/${name}`);
  }
  assert.deepEqual(workspace.toSorted(), folders.toSorted());
});

for (const folder of workspace) {
  Deno.test(`${folder}/deno.json pins the versions of package.json`, async () => {
    const { imports } = await readJson(`${folder}/deno.json`) as { imports: Record<string, string> };
    for (const [name, target] of Object.entries(imports)) {
      const [, specifier, path = ""] = target.match(/^npm:((?:@[^/]+\/)?[^/]+)(\/.+)?$/) ?? [];
      const at = specifier?.lastIndexOf("@") ?? -1;
      const [dependency, pinned] = [specifier?.slice(0, at), specifier?.slice(at + 1)];
      assert.equal(name, `${dependency}${path}`, "an import is named as in Node");
      assert.equal(pinned, installed[dependency ?? ""], `${name} in ${folder}/deno.json`);
    }
  });
}

/** Every bare import that a module or anything it imports names. */
async function bareImports(
  module: URL,
  seen = new Set<string>(),
  found = new Set<string>(),
): Promise<Set<string>> {
  if (seen.has(module.href)) return found;
  seen.add(module.href);
  for (
    const [, name = ""] of (await Deno.readTextFile(module)).matchAll(
      /(?<!")\b(?:from|import\()\s*"([^"]+)"/g,
    )
  ) {
    if (name.startsWith(".")) await bareImports(new URL(name, module), seen, found);
    else if (!name.startsWith("node:")) found.add(name);
  }
  return found;
}

for (const folder of workspace.filter((path) => !path.includes("/_"))) {
  // A deployed function has only its own deno.json, for what it takes from _shared too.
  Deno.test(`${folder}/deno.json names all that the function imports`, async () => {
    const { imports } = await readJson(`${folder}/deno.json`) as { imports: Record<string, string> };
    const needed = await bareImports(new URL(`${folder}/index.ts`, root));
    assert.deepEqual(Object.keys(imports).toSorted(), [...needed].toSorted());
  });
}

Deno.test("every function is deployed from its folder, and authenticates its callers itself", async () => {
  const config = await Deno.readTextFile(new URL("supabase/config.toml", root));
  // Left out, verify_jwt is on, and the platform refuses every token that an asymmetric key signed.
  const deployed = [
    ...config.matchAll(
      /^\[functions\.([\w-]+)\]\nentrypoint = "\.\.\/functions\/\1\/index\.ts"\nverify_jwt = false\n/gm,
    ),
  ];
  const folders = workspace.filter((path) => !path.includes("/_")).map((path) => path.split("/").at(-1));
  assert.deepEqual(deployed.map(([, name]) => name).toSorted(), folders.toSorted());
});

Deno.test("a deployed function says the version of package.json", () => {
  assert.equal(version, manifest["version"]);
});
