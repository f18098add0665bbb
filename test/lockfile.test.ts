import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { repository } from "../src/stack/repository.ts";

interface Lockfile {
  packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
}

const { packages } = JSON.parse(readFileSync(repository("package-lock.json"), "utf8")) as Lockfile;

// npm leaves out what its registry has not got yet, and `npm ci` then fails there, or elsewhere installs nothing.
test("the lockfile names the binaries of every platform, not only of the one it was made on", () => {
  const missing = Object.entries(packages).flatMap(([parent, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`node_modules/${name}`] && !packages[`${parent}/node_modules/${name}`],
    ),
  );
  expect(missing).toEqual([]);
});

test("the lockfile names no registry", () => {
  expect(Object.values(packages).filter(({ resolved }) => resolved)).toEqual([]);
});
