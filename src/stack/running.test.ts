import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { expect, test } from "vitest";
import { explain } from "./failure.ts";
import { claim } from "./running.ts";

const full = "/dev/full"; // there on Linux alone

test.skipIf(!existsSync(full))(
  "a full disk stops neither a reload nor the end, and leaves nothing",
  async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "nectar-running-"));
    try {
      const file = path.join(folder, "running.json");
      const held = await claim(folder, "http://127.0.0.1:1");
      symlinkSync(full, `${file}.${process.pid}`);
      held.record([{ pid: 1, born: "then" }]);
      expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ pid: process.pid, children: [] });
      held.release();
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test("a full disk is said in words", () => {
  const error = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  expect(explain(error)).toMatch(/^The disk.* is full\./);
});
