import assert from "node:assert/strict";
import { errorResponses } from "./responses.ts";

Deno.test("codes of one status share a response that names them, and 500 is always possible", () => {
  const responses = errorResponses("missing_credentials", "invalid_token", "not_found");
  assert.deepEqual(Object.keys(responses), ["401", "404", "500"]);
  assert.match(responses[401].description, /^`missing_credentials`: .*\n`invalid_token`: /);
});
