// The project that tests talk to: the one that the environment names, else a stack started for them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import type { TestProject } from "vitest/node";
import { freePort } from "../../src/stack/ports.ts";
import { removeCluster } from "../../src/stack/postgres/server.ts";
import { startStack } from "../../src/stack/stack.ts";

export interface Project {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** For `postgres`, which is no superuser. */
  databaseUrl: string;
}

declare module "vitest" {
  interface ProvidedContext {
    project: Project;
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const given = projectOfEnvironment();
  if (given) {
    provide("project", given);
    return async () => {};
  }
  const directory = mkdtempSync(path.join(tmpdir(), "nectar-test-"));
  const stack = await startStack({
    directory,
    port: await freePort(),
    databasePort: await freePort(),
    mongoUri: process.env["MONGODB_URI"],
    findMongo: false,
    durable: false,
  });
  const { url, keys, databaseUrl } = stack;
  provide("project", {
    url,
    publishableKey: keys.publishableKey,
    secretKey: keys.secretKey,
    databaseUrl,
  });
  return async () => {
    await stack.stop();
    removeCluster(path.join(directory, "postgres"));
    rmSync(directory, { recursive: true, force: true });
  };
}

/** `SUPABASE_URL` and its companions, all or none. */
export function projectOfEnvironment(environment = process.env): Project | undefined {
  if (!environment["SUPABASE_URL"]) return undefined;
  const read = (name: string): string => {
    const value = environment[name];
    if (!value) throw new Error(`${name} is missing: it goes with SUPABASE_URL.`);
    return value;
  };
  return {
    url: read("SUPABASE_URL"),
    publishableKey: read("SUPABASE_PUBLISHABLE_KEY"),
    secretKey: read("SUPABASE_SECRET_KEY"),
    databaseUrl: read("SUPABASE_DB_URL"),
  };
}
