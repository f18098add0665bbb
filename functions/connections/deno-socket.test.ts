import assert from "node:assert/strict";
import { connectByDeno, mayListen } from "./deno-socket.ts";
import { connectByNode } from "./line.ts";
import { connectFor } from "./runtime.ts";

Deno.test("a platform that only pretends to listen is found out before anything is accepted, and asked once", () => {
  const { listen } = Deno;
  const seen: string[] = [];
  const pretended = {
    addr: { hostname: "0.0.0.0", port: 9999, transport: "tcp" },
    close: () => seen.push("close"),
    accept: () => seen.push("accept"),
  };
  Deno.listen = ((at: { hostname: string }) => {
    seen.push(`listen ${at.hostname}`);
    return pretended;
  }) as unknown as typeof listen;
  try {
    assert.equal(mayListen(), false);
    assert.equal(mayListen(), false);
    assert.deepEqual(seen, ["listen 127.0.0.1", "close"]);
    assert.equal(connectFor({ tlsInsideTds: false }), connectByDeno);
    assert.equal(connectFor({ tlsInsideTds: true }), connectByNode);
  } finally {
    Deno.listen = listen;
  }
});
