import process from "node:process";

/** What the runtime can do, found out once. */
export interface Runtime {
  /** Whether TLS can be started over any stream, as TDS needs: Deno before 2.5 hangs there. */
  tlsInsideTds: boolean;
}

export function detectRuntime(versions: Record<string, string | undefined> = process.versions): Runtime {
  const deno = versions["deno"];
  const [major = 0, minor = 0] = (deno ?? "").split(".").map(Number);
  return { tlsInsideTds: !deno || major > 2 || (major === 2 && minor >= 5) };
}
