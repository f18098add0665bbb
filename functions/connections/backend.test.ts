import assert from "node:assert/strict";
import { AppError } from "../_shared/errors.ts";
import { createBackend, type StoredConnection } from "./backend.ts";

const stored = { id: "c", organization_id: "o", host: "before.example.com", secret_version: 1 };

/** A database whose only answer is this secret. */
function contextWith(version: number) {
  const row = {
    ...{ version, ciphertext: "sealed", nonce: "n", data_key_id: "k", master_key_id: "m" },
    ...{ data_key_version: 1, wrapped: "w", data_key_nonce: "n" },
  };
  const answer = Object.assign(Promise.resolve({ data: [row], error: null, status: 200 }), {
    setHeader: () => answer,
  });
  return { supabaseAdmin: { rpc: () => answer } } as unknown as Parameters<typeof createBackend>[0];
}

Deno.test("a password that was changed since the connection was read is not sent to the host that was read", async () => {
  const read = (version: number) =>
    createBackend(contextWith(version), "request").secret(stored as unknown as StoredConnection);
  assert.equal((await read(1)).sealed.ciphertext, "sealed");
  await assert.rejects(
    read(2),
    (error) => error instanceof AppError && error.code === "connection_changed",
  );
});
