import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { operatorsEnvironment } from "./functions-environment.ts";

const folder = mkdtempSync(path.join(tmpdir(), "nectar-env-"));
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  const file = path.join(folder, ".env");
  writeFileSync(file, text);
  return operatorsEnvironment(file);
}

test("no file is an empty environment", () => {
  expect(operatorsEnvironment(path.join(folder, "absent"))).toEqual({});
});

test("names, quotes, several lines, comments, Windows line ends", () => {
  const text = `# a key\nA=1\nexport B="two\nlines" # of it\n\n  C = it's # said\r\nD='x'\r\nE=\n`;
  expect(read(text)).toEqual({ A: "1", B: "two\nlines", C: "it's", D: "x", E: "" });
});

test.each([
  ["a secret without a name", 1],
  ["A=1\n1B=secret", 2],
  ["A=1\nB", 2],
  ['A="several\nlines"\nB="never closed secret', 3],
  ["A='x\n\nB=2\n", 1],
])("what cannot be understood is refused, by its line alone: %j", (text, line) => {
  expect(() => read(text)).toThrow(`, line ${line}: expected NAME=value`);
  expect(() => read(text)).not.toThrow("secret");
});
