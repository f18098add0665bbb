import { randomBytes } from "node:crypto";
import { type Collection, type Db, MongoClient, MongoServerError } from "mongodb";
import { afterAll, beforeAll, expect, inject } from "vitest";

const { uri, own } = inject("mongo");

export { own, uri };

export const client = new MongoClient(uri, { serverSelectionTimeoutMS: 30_000 });

/** A database for the file's tests alone. */
export const database: Db = client.db(`test_${randomBytes(4).toString("hex")}`);

beforeAll(async () => void (await client.connect()));
afterAll(async () => {
  await database.dropDatabase();
  await client.close();
});

let collections = 0;

/** A collection that nothing is in yet. */
export const fresh = (): Collection => database.collection(`c${++collections}`);

/** The work is refused with this code. */
export async function refused(work: Promise<unknown>, code: number): Promise<MongoServerError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MongoServerError);
  expect(error).toMatchObject({ code });
  return error as MongoServerError;
}

const NOT_IMPLEMENTED = 238;

/** What MongoDB does; Nectar's own server says that it does not. */
export async function orRefused(work: () => Promise<void>): Promise<void> {
  if (own) await refused(work(), NOT_IMPLEMENTED);
  else await work();
}
