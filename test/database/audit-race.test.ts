import postgres from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";
import { type Crowd, gather, tally } from "../support/crowd.ts";

const sql = postgres(inject("project").databaseUrl, { max: 20, onnotice() {} });
afterAll(() => sql.end());

let crowd: Crowd;
let other: Crowd;
let writers: string[];
let otherWriter: string;

beforeEach(async () => {
  [crowd, other] = await Promise.all([gather(sql), gather(sql)]);
  writers = [...(await crowd.people(1, "owner")), ...(await crowd.people(9, "developer"))];
  [otherWriter = ""] = await other.people(1, "owner");
});
afterEach(async () => {
  await crowd.disband();
  await other.disband();
});

const write = (request: postgres.ISql, organization: string, slug: string, count = 1) => request`
  insert into public.applications (organization_id, name, slug)
  select ${organization}, 'Application', ${slug} || '-' || n from generate_series(1, ${count}::int) as n`;

test("20 writers at a time, some of whom roll back: one whole chain without a gap", async () => {
  const attempts = await Promise.allSettled(
    Array.from({ length: 40 }, (_, n) =>
      crowd.as(writers[n % writers.length] ?? "", async (request) => {
        await write(request, crowd.organization, `app-${n}`, (n % 5) + 1);
        if (n % 4 === 0) throw Object.assign(new Error("changed its mind"), { code: "rolled_back" });
      }),
    ),
  );
  expect(tally(attempts)).toEqual({ done: 30, rolled_back: 10 });

  const [verdict] = await sql`select * from public.verify_audit_chain(${crowd.organization})`;
  expect(verdict).toMatchObject({ reason: null, first_broken_seq: null });
  const [log] = await sql`
    select count(*)::int as entries, max(seq)::int as last,
      bool_and(occurred_at >= coalesce(earlier, occurred_at)) as in_order
    from (
      select seq, occurred_at, lag(occurred_at) over (order by seq) as earlier
      from public.audit_log where organization_id = ${crowd.organization}
    ) as entries`;
  // The organization, ten members, and three applications for each writer who stayed, on average.
  expect(log).toMatchObject({ last: log?.["entries"], in_order: true });
  expect(Number(verdict?.["checked"])).toBe(log?.["entries"]);
});

test("an open transaction holds up the writers of its own organization, and no others", async () => {
  const opened = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const holder = crowd.as(writers[0] ?? "", async (request) => {
    await write(request, crowd.organization, "held");
    opened.resolve();
    await end.promise;
  });
  await opened.promise;

  const impatient = (organization: Crowd, writer: string) =>
    organization.as(writer, async (request) => {
      await request`select set_config('lock_timeout', '200ms', true)`;
      await write(request, organization.organization, "late");
    });
  const attempts = await Promise.allSettled([
    impatient(crowd, writers[1] ?? ""),
    impatient(other, otherWriter),
  ]);
  expect(attempts.map((attempt) => (attempt.status === "fulfilled" ? "done" : attempt.reason.code))).toEqual([
    "55P03",
    "done",
  ]);
  end.resolve();
  await holder;
});
