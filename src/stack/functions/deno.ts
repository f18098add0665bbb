import { existsSync, readdirSync } from "node:fs";
import { StackFailure } from "../failure.ts";
import { repository } from "../repository.ts";

const executable = process.platform === "win32" ? "deno.exe" : "deno";

/**
 * The Deno binary itself: the npm package's own command passes no signals on.
 *
 * @throws {StackFailure} when the packages are not installed.
 */
export function denoBinary(): string {
  const platforms = repository("node_modules/@deno");
  const packages = existsSync(platforms) ? readdirSync(platforms) : [];
  const found = packages.map((name) => repository("node_modules/@deno", name, executable)).find(existsSync);
  if (!found) throw new StackFailure("Deno is not installed. Run `npm ci` (with optional dependencies).");
  return found;
}

/** The Deno that hosted Supabase runs; undefined on platforms for which npm has no such binary. */
export function hostedDenoBinary(): string | undefined {
  const binary = repository("node_modules/deno-hosted/deno");
  return existsSync(binary) ? binary : undefined;
}
