import { expect, test } from "vitest";
import { freePort } from "./ports.ts";

test("free ports are no two alike, and none that an outgoing connection could take first", async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, freePort));
  expect(new Set(ports).size).toBe(50);
  expect(Math.max(...ports)).toBeLessThan(32_768);
});
