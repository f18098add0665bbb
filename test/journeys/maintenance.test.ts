import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, expect, inject, test } from "vitest";
import { createNectarClient } from "../../src/client/index.ts";
import { must, signUp } from "../support/people.ts";

const project = inject("project");
const { functions } = createNectarClient(project);
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
afterAll(() => sql.end());

const run = () => functions.POST("/maintenance", { headers: { apikey: project.secretKey } });

/** Of tasks and jobs. Outbox entries of tests beside this one may fail for a while: they come again. */
const failures = (report: Awaited<ReturnType<typeof run>>["data"]) =>
  [...(report?.tasks ?? []), ...(report?.jobs ?? [])].filter(({ status }) => status === "failed");

test("what is due is done, told, and done once", async () => {
  const id = randomUUID();
  await sql`
    insert into public.organizations (id, name, slug, closed_at)
    values (${id}, 'Long closed', ${`closed-${id.slice(0, 8)}`}, now() - interval '31 days')`;

  const { data, error } = await run();
  expect(error).toBeNull();
  expect(data?.skipped).toBe(false);
  expect(failures(data)).toEqual([]);
  const tasks = await sql<{ name: string }[]>`select name from private.maintenance_tasks`;
  expect(data?.tasks.map(({ name }) => name).sort()).toEqual(tasks.map(({ name }) => name).sort());
  expect(data?.tasks.find(({ name }) => name === "purge_closed_organizations")?.count).toBeGreaterThan(0);
  expect(await sql`select from public.organizations where id = ${id}`).toHaveLength(0);

  // With MongoDB the entry is consumed; without it, it stays open, and the answer says so.
  const [entry] = await sql`select done_at from private.outbox where organization_id = ${id}`;
  const outbox = data?.outbox.find(({ kind }) => kind === "organization.purged");
  expect([outbox?.status, entry?.["done_at"] !== null]).toEqual(
    outbox?.status === "waiting" ? ["waiting", false] : ["done", true],
  );

  const again = must(await run());
  expect(again.tasks.find(({ name }) => name === "purge_closed_organizations")?.count).toBe(0);
  expect(await sql`select from private.outbox where organization_id = ${id}`).toHaveLength(1);
});

test("runs that overlap do no harm", async () => {
  const reports = await Promise.all(Array.from({ length: 5 }, run));
  for (const { data, error } of reports) {
    expect(error).toBeNull();
    expect(failures(data)).toEqual([]);
  }
});

test("beside another run its tasks are skipped", async () => {
  await sql.begin(async (holder) => {
    await holder`select pg_advisory_xact_lock(hashtextextended('nectar.maintenance', 0))`;
    expect(must(await run())).toMatchObject({ skipped: true, tasks: [] });
  });
});

test("it is for servers alone", async () => {
  const ada = await signUp(project, "Ada");
  expect((await ada.functions.POST("/maintenance")).error).toMatchObject({ status: 401 });
  expect((await ada.supabase.rpc("run_maintenance")).status).toBe(403);
});
