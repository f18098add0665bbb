// The server that these tests talk to: the one of MONGODB_URI, else Nectar's own, a process of its own.
import process from "node:process";
import type { TestProject } from "vitest/node";
import { startOwnServer } from "../../src/stack/mongo/own-server.ts";
import { createScratch } from "../../src/stack/scratch.ts";

declare module "vitest" {
  interface ProvidedContext {
    mongo: { uri: string; own: boolean };
  }
}

export default async function setup({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env["MONGODB_URI"];
  if (given) {
    provide("mongo", { uri: given, own: false });
    return undefined;
  }
  const { folder, onProcess, remove } = createScratch();
  const server = await startOwnServer({ directory: folder, durable: false, onProcess });
  provide("mongo", { uri: server.uri, own: true });
  return async () => {
    await server.stop();
    await remove();
  };
}
