import { randomUUID } from "node:crypto";
import postgres, { type ISql } from "postgres";
import { afterAll, expect, inject, test } from "vitest";

const ATTEMPTS = 50;
const sql = postgres(inject("project").databaseUrl, { max: ATTEMPTS, onnotice() {} });

const organizations: string[] = [];
const accounts: string[] = [];
afterAll(async () => {
  await sql`delete from public.organizations where id = any (${organizations})`;
  await sql`delete from auth.users where id = any (${accounts})`;
  await sql.end();
});

async function organizationOf(size: number): Promise<{ organization: string; owners: string[] }> {
  const organization = randomUUID();
  const owners = Array.from({ length: size }, () => randomUUID());
  organizations.push(organization);
  accounts.push(...owners);
  await sql`insert into auth.users ${sql(owners.map((id) => ({ id, email: `${id}@example.com` })))}`;
  await sql`
    insert into public.organizations (id, name, slug)
    values (${organization}, 'Crowded', ${`crowded-${organization.slice(0, 8)}`})`;
  await sql`
    insert into public.memberships ${sql(
      owners.map((user_id) => ({ organization_id: organization, user_id, role_key: "owner" })),
    )}`;
  return { organization, owners };
}

const leave = (session: ISql, owner: string) =>
  session`delete from public.memberships where user_id = ${owner}`;
const stepDown = (session: ISql, owner: string) =>
  session`update public.memberships set role_key = 'viewer' where user_id = ${owner}`;

async function ownersLeft(organization: string): Promise<number> {
  const left = await sql`
    select from public.memberships where organization_id = ${organization} and role_key = 'owner'`;
  return left.length;
}

test("50 owners who leave or step down at the same moment leave one behind", async () => {
  const { organization, owners } = await organizationOf(ATTEMPTS);

  const attempts = await Promise.allSettled(
    owners.map((owner, index) => (index % 2 === 0 ? leave(sql, owner) : stepDown(sql, owner))),
  );

  const refused = attempts.filter((attempt) => attempt.status === "rejected");
  expect(refused.map(({ reason }) => [reason.code, reason.hint])).toEqual([["23514", "last_owner"]]);
  expect(await ownersLeft(organization)).toBe(1);
});

test.each([
  ["leaves", leave],
  ["steps down", stepDown],
])("an owner who %s on an older snapshot does not overlook that the other has left", async (_, go) => {
  const { organization, owners } = await organizationOf(2);
  const [first = "", second = ""] = owners;

  const late = sql.begin("isolation level repeatable read", async (transaction) => {
    await transaction`select from public.memberships limit 1`;
    await go(sql, first);
    await go(transaction, second);
  });

  await expect(late).rejects.toMatchObject({ code: "40001" });
  expect(await ownersLeft(organization)).toBe(1);
});

test("an owner who leaves does not wait for the deletion of the organization, which waits for them", async () => {
  const { organization, owners } = await organizationOf(2);

  await sql.begin(async (deletion) => {
    // What a deletion holds before it gets to the memberships.
    await deletion`select from public.organizations where id = ${organization} for update`;
    await sql.begin(async (transaction) => {
      await transaction`set local lock_timeout = '5s'`;
      await leave(transaction, owners[0] ?? "");
    });
    await deletion`delete from public.organizations where id = ${organization}`;
  });

  expect(await ownersLeft(organization)).toBe(0);
});
