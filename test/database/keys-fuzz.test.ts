import { randomBytes } from "node:crypto";
import fc from "fast-check";
import postgres from "postgres";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { addApplication, createKey, decide, hashOf, limitTo, type TestKey } from "../support/api-keys.ts";
import { type Crowd, gather } from "../support/crowd.ts";

const sql = postgres(inject("project").databaseUrl, { max: 4, onnotice() {} });
let crowd: Crowd;
let key: TestKey;

beforeAll(async () => {
  crowd = await gather(sql);
  const [owner = ""] = await crowd.people(1, "owner");
  key = await createKey(crowd, owner, await addApplication(sql, crowd));
  await limitTo(sql, crowd.organization, {});
});
afterAll(async () => {
  await sql`delete from private.request_log where organization_id = ${crowd.organization}`;
  await crowd.disband();
  await sql.end();
});

test("whatever is sent as a key that is none: invalid_key, and never an error", async () => {
  const almost = fc
    .tuple(fc.nat(56), fc.constantFrom("0", "a", "Z", "", "é", " ", "\0"))
    .map(([place, letter]) => key.secret.slice(0, place) + letter + key.secret.slice(place + 1))
    .filter((text) => text !== key.secret);
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: "binary" }), almost), async (text) => {
      expect(await decide(sql, hashOf(text))).toMatchObject({ code: "invalid_key" });
    }),
    { numRuns: 300 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      expect(await decide(sql, Buffer.from(bytes))).toMatchObject({ code: "invalid_key" });
    }),
    { numRuns: 200 },
  );
});

test("whatever is sent as a context: a decision, and never an error", async () => {
  const anything = fc.jsonValue({ maxDepth: 2, stringUnit: "grapheme" });
  const context = fc.oneof(
    anything,
    fc.record(
      // An id too long is the caller's mistake, and said to be one.
      {
        request_id: fc.oneof(fc.uuid(), fc.integer(), fc.constant(null)),
        ip: anything,
        origin: anything,
        workflow_id: anything,
      },
      { requiredKeys: [] },
    ),
  );
  await sql`
    update public.api_keys set allowed_cidrs = '{10.0.0.0/8}', allowed_origins = '{https://example.com}'
    where id = ${key.id}`;
  await fc.assert(
    fc.asyncProperty(context, async (sent) => {
      const { code } = await decide(sql, key.hash, sent as object);
      expect(["forbidden_ip", "forbidden_origin"]).toContain(code);
    }),
    { numRuns: 300 },
  );
  await sql`update public.api_keys set allowed_cidrs = '{}', allowed_origins = '{}' where id = ${key.id}`;
  await fc.assert(
    fc.asyncProperty(context, async (sent) => {
      expect((await decide(sql, key.hash, sent as object)).code).toBe("allowed");
    }),
    { numRuns: 200 },
  );
});

// A look at an index tells of a hash what whoever knows the hash could tell: this guards against a path that goes
// astray, by a factor that a busy machine does not reach.
test("a key that is almost one takes as long to refuse as any other", async () => {
  const near = Buffer.from(key.hash);
  near[31] = (near[31] ?? 0) ^ 1;
  const times: Record<"near" | "far", number[]> = { near: [], far: [] };
  for (let round = 0; round < 400; round++) {
    for (const [name, hash] of Object.entries({ near, far: randomBytes(32) })) {
      const started = performance.now();
      await decide(sql, hash);
      times[name as "near" | "far"].push(performance.now() - started);
    }
  }
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length / 2] ?? 0;
  expect(median(times.near) / median(times.far)).toBeGreaterThan(1 / 3);
  expect(median(times.near) / median(times.far)).toBeLessThan(3);
});
