import assert from "node:assert/strict";
import { AppError, type ErrorCode, errorCodes } from "./errors.ts";

Deno.test("every code has an error status and a sentence", () => {
  for (const [code, { status, message }] of Object.entries(errorCodes)) {
    assert.match(code, /^[a-z]+(_[a-z]+)*$/);
    assert.ok(status >= 400 && status < 600, code);
    assert.match(message, /^[A-Z].*\.$/, code);
  }
});

Deno.test("an error knows its status and default message", () => {
  for (const code of Object.keys(errorCodes) as ErrorCode[]) {
    const error = new AppError(code);
    assert.equal(error.status, errorCodes[code].status);
    assert.equal(error.message, errorCodes[code].message);
  }
});

Deno.test("the body has the code, message, details and request id, and nothing of the cause", () => {
  const error = new AppError("validation_failed", {
    message: "No.",
    details: { field: "name" },
    cause: new Error("driver says: host 10.0.0.1"),
  });
  assert.deepEqual(error.toBody("request-1"), {
    error: { code: "validation_failed", message: "No.", details: { field: "name" }, request_id: "request-1" },
  });
  assert.deepEqual(new AppError("not_found").toBody("r"), {
    error: { code: "not_found", message: errorCodes.not_found.message, request_id: "r" },
  });
});
