import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import process from "node:process";
import postgres from "postgres";
import { afterAll, expect, inject, test } from "vitest";
import { repository } from "../../src/stack/repository.ts";
import { linkOrganizations } from "./places.ts";

const project = inject("project");
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
afterAll(() => sql.end());

/** The command as an operator types it. */
function replay(args: string[], environment: Record<string, string> = {}) {
  const command = repository("src/billing/replay-command.ts");
  const env = {
    ...process.env,
    SUPABASE_URL: project.url,
    SUPABASE_SECRET_KEY: project.secretKey,
    ...environment,
  };
  return new Promise<{ code: number; text: string }>((resolve) => {
    execFile(process.execPath, [command, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

/** An event about a subscription that is gone at Stripe, dead in the ledger. */
async function deadEvent(customer: string): Promise<string> {
  const random = randomUUID().replaceAll("-", "");
  const event = {
    id: `evt_${random}`,
    object: "event",
    type: "customer.subscription.deleted",
    created: 1,
    livemode: false,
    data: { object: { id: `sub_${random}`, object: "subscription", customer } },
  };
  const payload = JSON.stringify(event);
  for (let attempt = 0; attempt < 12; attempt++) {
    await sql`select public.fail_stripe_event(${payload}::text::jsonb, 'for a test')`;
  }
  return event.id;
}

const statusOf = async (id: string) =>
  (await sql`select status, outcome from private.stripe_events where id = ${id}`)[0];

test("a dead event is applied by its id, or with all that are dead", async () => {
  const customer = `cus_${randomUUID().replaceAll("-", "")}`;
  const places = await linkOrganizations(sql, [customer]);
  const first = await deadEvent(customer);
  expect(await statusOf(first)).toMatchObject({ status: "dead" });
  const one = await replay([first]);
  expect(one.text).toContain(`✓ ${first}  customer.subscription.deleted  applied`);
  expect(one.code).toBe(0);
  expect(await statusOf(first)).toEqual({ status: "applied", outcome: "applied" });

  const more = await Promise.all(Array.from({ length: 23 }, () => deadEvent(customer)));
  const all = await replay(["--dead"]);
  // More than fit on a page.
  for (const id of more) {
    expect(all.text).toContain(`✓ ${id}`);
    expect(await statusOf(id)).toMatchObject({ status: "applied" });
  }
  await sql`delete from public.organizations where id = any (${[...places.values()]})`;
});

test("an event whose customer was nobody's is applied once the customer is linked", async () => {
  const customer = `cus_${randomUUID().replaceAll("-", "")}`;
  const id = await deadEvent(customer);
  await replay([id]);
  expect(await statusOf(id)).toEqual({ status: "ignored", outcome: "unlinked" });
  const places = await linkOrganizations(sql, [customer]);
  const since = await replay(["--since", "2026-01-01"]);
  expect(since.text).toContain(`✓ ${id}`);
  expect(await statusOf(id)).toEqual({ status: "applied", outcome: "applied" });
  await sql`delete from public.organizations where id = any (${[...places.values()]})`;
});

test("what is wrong is said, and the exit code tells it", async () => {
  const [none, mistyped, unknown, stranger] = await Promise.all([
    replay([]),
    replay(["--since", "yesterday"]),
    replay(["evt_nobody_knows"]),
    replay(["--dead"], { SUPABASE_SECRET_KEY: "sb_secret_wrong" }),
  ]);
  expect([none.code, none.text]).toEqual([2, expect.stringContaining("npm run stripe:replay")]);
  expect(mistyped.code).toBe(2);
  expect([unknown.code, unknown.text]).toEqual([1, expect.stringContaining("Not all of these events")]);
  expect([stranger.code, stranger.text]).toEqual([1, expect.stringMatching(/answered 401/)]);
});
