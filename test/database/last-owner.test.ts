import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, expect, inject, test } from "vitest";

const ATTEMPTS = 50;
const sql = postgres(inject("project").databaseUrl, { max: ATTEMPTS, onnotice() {} });
afterAll(() => sql.end());

test("50 owners who leave or step down at the same moment leave one behind", async () => {
  const organization = randomUUID();
  const owners = Array.from({ length: ATTEMPTS }, () => randomUUID());
  await sql`insert into auth.users ${sql(owners.map((id) => ({ id, email: `${id}@example.com` })))}`;
  await sql`
    insert into public.organizations (id, name, slug)
    values (${organization}, 'Crowded', ${`crowded-${organization.slice(0, 8)}`})`;
  await sql`
    insert into public.memberships ${sql(
      owners.map((user_id) => ({ organization_id: organization, user_id, role_key: "owner" })),
    )}`;

  const attempts = await Promise.allSettled(
    owners.map((owner, index) =>
      index % 2 === 0
        ? sql`delete from public.memberships where user_id = ${owner}`
        : sql`update public.memberships set role_key = 'viewer' where user_id = ${owner}`,
    ),
  );

  const refused = attempts.filter((attempt) => attempt.status === "rejected");
  expect(refused.map(({ reason }) => [reason.code, reason.hint])).toEqual([["23514", "last_owner"]]);
  const left = await sql`
    select from public.memberships where organization_id = ${organization} and role_key = 'owner'`;
  expect(left).toHaveLength(1);

  await sql`delete from public.organizations where id = ${organization}`;
  await sql`delete from auth.users where id = any (${owners})`;
});
