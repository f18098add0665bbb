import assert from "node:assert/strict";
import { describeError, redact } from "./log.ts";

Deno.test("redact takes out what opens doors", () => {
  const cases = {
    "connect to postgresql://postgres:pa55@db.internal:5432/x failed":
      "connect to postgresql://…@db.internal:5432/x failed",
    "mongodb+srv://me:secret@cluster": "mongodb+srv://…@cluster",
    "key sb_secret_abc-DEF_1 refused": "key sb_secret_… refused",
    "rk_live_abc, sk_test_abc, whsec_abc": "rk_live_…, sk_test_…, whsec_…",
    "Bearer eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl": "Bearer eyJ…",
    "nothing to hide at https://example.com/a@b": "nothing to hide at https://example.com/a@b",
  };
  for (const [text, clean] of Object.entries(cases)) assert.equal(redact(text), clean);
});

Deno.test("an error is described with its causes, without credentials", () => {
  const error = new Error("outer", { cause: new TypeError("postgres://u:hunter2@h refused") });
  const described = describeError(error);
  assert.equal(described["message"], "outer");
  assert.equal((described["cause"] as Record<string, unknown>)["name"], "TypeError");
  assert.ok(!JSON.stringify(described).includes("hunter2"));
});

Deno.test("anything can be thrown", () => {
  assert.deepEqual(describeError("sb_secret_x"), { message: "sb_secret_…" });
  assert.deepEqual(describeError(undefined), { message: "undefined" });
});
