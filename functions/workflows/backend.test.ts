import assert from "node:assert/strict";
import { createBackend } from "./backend.ts";

Deno.test("500 connections are asked for in URLs that gateways take, and all that are missing are named", async () => {
  const ids: string[] = Array.from({ length: 500 }, () => crypto.randomUUID());
  const missing = [ids[0], ids[250], ids[499]];
  const asked: string[][] = [];
  const supabase = {
    from: () => ({
      select: () => ({
        eq: () => ({
          in: (_: string, some: string[]) => ({
            setHeader: () => {
              asked.push(some);
              const data = some.filter((id) => !missing.includes(id)).map((id) => ({ id }));
              return Promise.resolve({ data, error: null });
            },
          }),
        }),
      }),
    }),
  } as unknown as Parameters<typeof createBackend>[0];
  await assert.rejects(createBackend(supabase, "request").connectionsExist(crypto.randomUUID(), ids), {
    code: "unknown_connection",
    details: { connections: missing },
  });
  assert.ok(asked.every((some) => some.join(",").length < 4096));
});
