import process from "node:process";
import { createMongo, type Mongo } from "../_shared/mongo.ts";
import type { CollectionDefinition } from "./definition.ts";
import { createDocuments, type Documents } from "./documents.ts";

/** The MongoDB that tests write to. @throws {Error} when the environment names none: such tests are never skipped. */
export function testMongoUri(): string {
  const uri = process.env["MONGODB_URI"];
  if (!uri) throw new Error("MONGODB_URI is missing: these tests need a MongoDB. `npm test` starts one.");
  return uri;
}

/**
 * Deno.test for all tests of a file that uses MongoDB. The driver closes without the connections that it is just making: what is
 * left of them is counted as this test's leak, and the next one's.
 */
export function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

export interface TestStore {
  documents: Documents;
  mongo: Mongo;
  lines: Record<string, unknown>[];
  /** Another process's view of the same store. */
  another: () => Documents;
}

/** Runs a test on a database of its own, which is gone afterwards. */
export async function withStore(
  work: (store: TestStore) => Promise<void>,
  definitions?: readonly CollectionDefinition[],
): Promise<void> {
  const uri = new URL(testMongoUri());
  uri.pathname = `/nectar_test_${crypto.randomUUID().slice(0, 13)}`;
  const opened: Mongo[] = [];
  const lines: Record<string, unknown>[] = [];
  const open = () => {
    const mongo = createMongo({ uri: () => uri.href });
    opened.push(mongo);
    return {
      mongo,
      documents: createDocuments({
        mongo,
        log: (line) => void lines.push(line),
        ...(definitions && { definitions }),
      }),
    };
  };
  const { mongo, documents } = open();
  try {
    await work({ documents, mongo, lines, another: () => open().documents });
  } finally {
    await mongo.run((database) => database.dropDatabase());
    for (const each of opened) await each.close();
  }
}
