import process from "node:process";
import { connectByDeno, mayListen } from "./deno-socket.ts";
import { type Connect, connectByNode } from "./line.ts";

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

/** Sockets that this runtime can start TLS on. */
export const connectFor = ({ tlsInsideTds }: Runtime): Connect =>
  tlsInsideTds || mayListen() ? connectByNode : connectByDeno;
