// The project that tests talk to: the one that the environment names, else a stack started for them.
import process from "node:process";
import type { TestProject } from "vitest/node";
import { freePort } from "../../src/stack/ports.ts";
import { createScratch } from "../../src/stack/scratch.ts";
import { startStack } from "../../src/stack/stack.ts";
import { type Project, projectOfEnvironment } from "./project-of-environment.ts";

declare module "vitest" {
  interface ProvidedContext {
    project: Project;
  }
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const given = projectOfEnvironment(process.env);
  if (given) {
    provide("project", given);
    return async () => {};
  }
  const scratch = createScratch();
  const stack = await startStack({
    directory: scratch.folder,
    port: await freePort(),
    databasePort: await freePort(),
    mongoUri: process.env["MONGODB_URI"],
    mongo: "own",
    durable: false,
  });
  const { url, keys, databaseUrl, stripe } = stack;
  provide("project", {
    url,
    publishableKey: keys.publishableKey,
    secretKey: keys.secretKey,
    databaseUrl,
    stripeUrl: stripe?.url,
  });
  return async () => {
    await stack.stop();
    await scratch.remove();
  };
}
