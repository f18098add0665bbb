import assert from "node:assert/strict";
import { detectRuntime } from "./runtime.ts";

Deno.test("TLS inside TDS: on Deno from 2.5, and on Node", () => {
  for (const version of ["2.5.0", "2.5.6", "2.9.5", "2.10.0", "3.0.0"]) {
    assert.ok(detectRuntime({ deno: version }).tlsInsideTds, version);
  }
  assert.ok(detectRuntime({}).tlsInsideTds);
  for (const version of ["2.1.14", "2.4.4", "1.46.3"]) {
    assert.ok(!detectRuntime({ deno: version }).tlsInsideTds, version);
  }
});
