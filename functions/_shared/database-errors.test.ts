import assert from "node:assert/strict";
import { databaseError, dataOf } from "./database-errors.ts";
import { errorCodes } from "./errors.ts";

const refused = (code: string, hint: string | null, status: number, message = "From SQL.") =>
  databaseError({ error: { code, hint, message }, status });

Deno.test("the hint of our SQL is the code, its sentence the message", () => {
  const error = refused("PT429", "too_many_invitations", 429, "At most 200. Revoke some first.");
  assert.equal(error.code, "too_many_invitations");
  assert.equal(error.status, 429);
  assert.equal(error.message, "At most 200. Revoke some first.");
});

Deno.test("of limits there is one code, and which of them it is is told", () => {
  const error = { code: "PT402", hint: "limit_reached", message: "Three.", details: "connections" };
  assert.deepEqual(databaseError({ error, status: 402 }).details, { limit: "connections" });
  const other = { ...error, hint: "slug_taken", details: "Key (id)=(1) exists." };
  assert.equal(databaseError({ error: other, status: 409 }).details, undefined);
});

Deno.test("what is not ours is told by one of our codes, and its words are only logged", () => {
  for (
    const [code, hint, status, expected] of [
      ["42501", null, 403, "not_permitted"],
      ["PGRST303", null, 401, "invalid_token"],
      ["", null, 0, "database_unavailable"],
      ["PGRST000", null, 503, "database_unavailable"],
      ["42P01", 'Perhaps you meant "secrets".', 404, "internal"],
      ["P0001", "toString", 400, "internal"],
    ] as const
  ) {
    const error = refused(code, hint, status, "relation secrets of 10.0.0.1");
    assert.equal(error.code, expected);
    assert.equal(error.message, errorCodes[expected].message);
    assert.match(String((error.cause as Error).message), /relation secrets/);
  }
});

Deno.test("a text or time that PostgreSQL cannot hold is the caller's", () => {
  for (const code of ["22P02", "22P05", "22007", "22008", "22009"]) {
    const error = refused(code, null, 400, "cannot be converted to text: hunter2");
    assert.equal(error.code, "validation_failed");
    assert.ok(!error.message.includes("hunter2"));
  }
  assert.equal(refused("22012", null, 400, "division by zero").code, "internal");
});

Deno.test("a broken constraint that has our code's name is that code, without the row that broke it", () => {
  const taken = 'duplicate key value violates unique constraint "connection_name_taken" (Shop)';
  const error = refused("23505", null, 409, taken);
  assert.equal(error.code, "connection_name_taken");
  assert.equal(error.message, errorCodes.connection_name_taken.message);
  for (const name of ["organizations_pkey", "internal_secrets", "constructor"]) {
    assert.equal(refused("23505", null, 409, `violates unique constraint "${name}"`).code, "internal");
  }
  assert.equal(refused("42P02", null, 400, taken).code, "internal");
});

Deno.test("an answer gives its data, or throws", () => {
  assert.equal(dataOf({ data: 1, error: null, status: 200 }), 1);
  assert.throws(() => dataOf({ data: null, error: { message: "no" }, status: 0 }), {
    code: "database_unavailable",
  });
});
