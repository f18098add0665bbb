import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";
import { type Crowd, gather, tally } from "../support/crowd.ts";

const sql = postgres(inject("project").databaseUrl, { max: 20, onnotice() {} });
afterAll(() => sql.end());

let crowd: Crowd;
let owner: string;
let keyId: string;

beforeEach(async () => {
  crowd = await gather(sql);
  [owner = ""] = await crowd.people(1, "owner");
  keyId = randomUUID();
  await sql`select private.add_data_key(${crowd.organization}, ${keyId}, 'first', '', '')`;
});
afterEach(() => crowd.disband());

const secret = (version: number) => ({ data_key_id: keyId, version, ciphertext: "", nonce: "" });
const details = (name: string) => ({
  name,
  engine: "mysql",
  host: "db.example.com",
  database_name: "shop",
  username: "reader",
});
const create = (name: string, id = randomUUID()) =>
  crowd.as(
    owner,
    (request) => request`
      select public.create_connection(
        ${crowd.organization}, ${id}, ${sql.json(details(name))}, ${sql.json(secret(1))}
      )`,
  );
const update = (id: string, changes: Record<string, string>, version?: number) =>
  crowd.as(
    owner,
    (request) => request`
      select public.update_connection(
        ${id}, 1, ${sql.json(changes)}, ${version ? sql.json(secret(version)) : null}
      )`,
  );
const atOnce = (count: number, work: (n: number) => Promise<unknown>) =>
  Promise.allSettled(Array.from({ length: count }, (_, n) => work(n)));

test("20 connections added at the same moment with room for three: three are", async () => {
  const attempts = await atOnce(20, (n) => create(`Connection ${n}`));
  expect(tally(attempts)).toEqual({ done: 3, limit_reached: 17 });
});

test("20 passwords for one connection at the same moment: one is kept, under the number that the connection has", async () => {
  const id = randomUUID();
  await create("Shop", id);
  const attempts = await atOnce(20, () => update(id, { host: "new.example.com" }, 2));
  expect(tally(attempts)).toEqual({ done: 1, connection_changed: 19 });
  const [kept] = await sql`
    select secret_version, version from public.database_connections
    join private.connection_secrets on connection_id = id where id = ${id}`;
  expect(kept).toEqual({ secret_version: 2, version: 2 });
});

test("20 first keys of one organization at the same moment: all get the same", async () => {
  const organization = randomUUID();
  await sql`
    insert into public.organizations (id, name, slug)
    values (${organization}, 'Keyless', ${`keyless-${organization.slice(0, 8)}`})`;
  const answers = await Promise.all(
    Array.from(
      { length: 20 },
      () => sql`select id from private.add_data_key(${organization}, ${randomUUID()}, 'first', '', '')`,
    ),
  );
  expect(new Set(answers.map(([row]) => row?.["id"])).size).toBe(1);
  await sql`delete from public.organizations where id = ${organization}`;
});

test("50 tokens asked of a bucket of ten at the same moment: ten are given", async () => {
  const bucket = `test:${randomUUID()}`;
  const waits = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const [row] = await sql`select private.take_token(${bucket}, 10, 0.0001) as wait`;
      return row?.["wait"] as number;
    }),
  );
  expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
  expect(Math.min(...waits.filter((wait) => wait > 0))).toBeGreaterThan(9000);
  await sql`delete from private.token_buckets where name = ${bucket}`;
});

test("50 tests at the same moment by five people: the organization's ten, and nobody more than their own", async () => {
  const people = await crowd.people(5, "developer");
  const attempts = await atOnce(50, (n) =>
    crowd.as(
      people[n % 5] ?? "",
      (request) => request`select public.take_connection_test(${crowd.organization})`,
    ),
  );
  expect(tally(attempts)).toEqual({ done: 10, too_many_tests: 40 });
});

test("a bucket is refilled while full ones are cleared away: none is given twice", async () => {
  const buckets = Array.from({ length: 10 }, () => `test:${randomUUID()}`);
  const given = await atOnce(200, async (n) => {
    if (n % 10 === 9) return sql`select private.delete_full_buckets()`;
    const [row] = await sql`select private.take_token(${buckets[n % 10] ?? ""}, 3, 0.0001) as wait`;
    if (row?.["wait"] !== 0) throw Object.assign(new Error(), { code: "waits" });
  });
  expect(tally(given)).toEqual({ done: 27 + 20, waits: 180 - 27 });
  await sql`delete from private.token_buckets where name = any (${buckets})`;
});

test("an account that goes waits for its connections before it holds what others need", async () => {
  const [maker = ""] = await crowd.people(1, "developer");
  const id = randomUUID();
  await crowd.as(
    maker,
    (request) => request`
      select public.create_connection(
        ${crowd.organization}, ${id}, ${sql.json(details("Shop"))}, ${sql.json(secret(1))}
      )`,
  );
  let leaving: Promise<unknown> | undefined;
  await sql.begin(async (change) => {
    await change`select from public.database_connections where id = ${id} for update`;
    leaving = crowd.as(maker, (request) => request`select public.delete_account()`);
    leaving.catch(() => {});
    await waitedFor();
    // Its entry in the audit log needs the chain, which whoever waits for this row must not have.
    await change`update public.database_connections set name = 'Store' where id = ${id}`;
  });
  await leaving;
  const [left] = await sql`select name, created_by from public.database_connections where id = ${id}`;
  expect(left).toEqual({ name: "Store", created_by: null });
});

/** Resolves when somebody's deletion of their account waits for a lock. */
async function waitedFor(): Promise<void> {
  for (;;) {
    const waiting = await sql`
      select from pg_stat_activity where wait_event_type = 'Lock' and query ~ '^\\s*select public.delete_account'`;
    if (waiting.length > 0) return;
  }
}
