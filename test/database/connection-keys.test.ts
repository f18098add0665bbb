// The rotation of the master key, with the function's own parts against the real database.
import { randomBytes, randomUUID } from "node:crypto";
import { createClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";
import { createSecretBox, type WrappedKey } from "../../functions/_shared/secret-box.ts";
import { createKeyRing, type KeyRing } from "../../functions/connections/backend.ts";
import { rotateBatch } from "../../functions/connections/rotate.ts";
import { rotateConnectionKeys } from "../../src/operations/rotate-connection-keys.ts";
import type { Database } from "../../types/database.ts";

const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 4, onnotice() {} });
const admin = createClient<Database>(project.url, project.secretKey, { auth: { persistSession: false } });
const keyRing = createKeyRing(admin, "rotation-test");
afterAll(() => sql.end());

const masterKey = (id: string) => `${id}:${randomBytes(32).toString("base64")}`;
let [older, newer] = ["", ""];
let organizations: string[] = [];

beforeEach(async () => {
  // Other tests' keys are wrapped by others still: they are passed over as unreadable.
  [older, newer] = [masterKey(`old-${randomUUID()}`), masterKey(`new-${randomUUID()}`)];
  organizations = Array.from({ length: 7 }, () => randomUUID());
  const before = createSecretBox(() => older);
  for (const id of organizations) {
    await sql`insert into public.organizations (id, name, slug) values (${id}, 'Rotated', ${`rotated-${id.slice(0, 8)}`})`;
    const key = await before.newDataKey(id);
    const sealed = await before.seal(key, binding(id), `password of ${id}`);
    await sql`select private.add_data_key(${id}, ${key.id}, ${key.masterKeyId}, ${key.ciphertext}, ${key.nonce})`;
    sealedOf.set(id, sealed);
  }
});
afterEach(async () => {
  await sql`delete from public.organizations where id = any (${organizations})`;
});

const sealedOf = new Map<string, { ciphertext: string; nonce: string }>();
const binding = (organizationId: string) => ({ organizationId, connectionId: organizationId, version: 1 });

/** Whose passwords a backend with these master keys can read. */
async function readable(masterKeys: string): Promise<string[]> {
  const box = createSecretBox(() => masterKeys);
  const read: string[] = [];
  for (const id of organizations) {
    const [row] = await sql`select * from private.read_data_key(${id})`;
    const key: WrappedKey = {
      organizationId: id,
      id: row?.["id"],
      masterKeyId: row?.["master_key_id"],
      version: row?.["version"],
      ciphertext: row?.["wrapped"],
      nonce: row?.["nonce"],
    };
    const sealed = sealedOf.get(id);
    if (!sealed) continue;
    const opened = await box.open(key, binding(id), sealed).catch(() => undefined);
    if (opened === undefined) continue;
    expect(opened).toBe(`password of ${id}`);
    read.push(id);
  }
  return read;
}

const both = () => `${newer},${older}`;
const rotate = (ring: KeyRing = keyRing) => {
  const box = createSecretBox(both);
  return rotateConnectionKeys((after) => rotateBatch(box, ring, after ?? undefined, 2));
};

test("after a rotation the new master key reads everything, and the old one nothing", async () => {
  expect(await readable(older)).toHaveLength(7);
  expect((await rotate()).rewrapped).toBe(7);
  expect(await readable(newer)).toHaveLength(7);
  expect(await readable(older)).toEqual([]);
  expect((await rotate()).rewrapped).toBe(0);
});

test.each(["before", "after"])(
  "killed %s any batch is written: everything stays readable, and the next run ends it",
  async (moment) => {
    for (let batches = 1; (await readable(newer)).length < 7; batches++) {
      let left = batches;
      const dying: KeyRing = {
        ...keyRing,
        async rewrapped(keys) {
          const last = --left === 0;
          if (last && moment === "before") throw new Error("killed");
          const written = await keyRing.rewrapped(keys);
          if (last) throw new Error("killed");
          return written;
        },
      };
      const outcome = await rotate(dying).then(
        () => "ended",
        (error: Error) => error.message,
      );
      expect(await readable(both())).toHaveLength(7);
      if (outcome === "ended") break;
      expect(outcome).toBe("killed");
    }
    expect(await readable(newer)).toHaveLength(7);
  },
);

test("rotations that overlap do each key once", async () => {
  const totals = await Promise.all([rotate(), rotate(), rotate()]);
  expect(totals.reduce((sum, { rewrapped }) => sum + rewrapped, 0)).toBe(7);
  expect(await readable(newer)).toHaveLength(7);
  const versions =
    await sql`select version from private.data_keys where organization_id = any (${organizations})`;
  expect(versions.map((row) => row["version"])).toEqual(Array(7).fill(2));
});
