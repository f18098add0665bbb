import postgres, { type TransactionSql } from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";
import { addressOf, type Crowd, gather, tally } from "../support/crowd.ts";

const AT_ONCE = 50;
const sql = postgres(inject("project").databaseUrl, { max: AT_ONCE, onnotice() {} });
afterAll(() => sql.end());

let crowd: Crowd;
beforeEach(async () => {
  crowd = await gather(sql);
});
afterEach(() => crowd.disband());

const pick = <T>(items: T[], index: number): T => items[index % items.length] as T;
const owners = () =>
  sql`select from public.memberships where organization_id = ${crowd.organization} and role_key = 'owner'`;

test("50 removals, demotions, departures and transfers at the same moment leave an owner", async () => {
  const people = await crowd.people(6, "owner");
  const organization = crowd.organization;
  const attempts = await Promise.allSettled(
    Array.from({ length: AT_ONCE }, (_, n) => {
      const [self, other] = [pick(people, n), pick(people, n * 5 + 1)];
      return crowd.as(self, (request) =>
        pick(
          [
            () => request`select public.remove_member(${organization}, ${other})`,
            () => request`select public.change_member_role(${organization}, ${other}, 'viewer')`,
            () => request`select public.leave_organization(${organization})`,
            () => request`select public.offer_ownership(${organization}, ${other})`,
            () => request`select public.accept_ownership(${organization})`,
            () => request`select public.withdraw_ownership_offer(${organization})`,
            () => request`select public.delete_account()`,
          ],
          n,
        )(),
      );
    }),
  );
  const expected = [
    "done",
    "last_owner",
    "member_above_own",
    "member_not_found",
    "not_permitted",
    "offer_not_found",
  ];
  expect(expected).toEqual(expect.arrayContaining(Object.keys(tally(attempts))));
  expect((await owners()).length).toBeGreaterThanOrEqual(1);
});

test("invitations, roles and members change at the same moment without a deadlock", async () => {
  const [owner = ""] = await crowd.people(1, "owner");
  const admins = await crowd.people(8, "admin");
  const organization = crowd.organization;
  const save = (key: string) =>
    crowd.as(
      owner,
      (request) => request`select public.save_role(${organization}, ${key}, 'Role', '{applications.read}')`,
    );
  for (let round = 0; round < 3; round++) {
    await save("custom:a");
    const invitations = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        crowd.as(owner, async (request) => {
          const [row] = await request`
            select invitation_id as id from public.invite_member(
              ${organization}, ${addressOf(`${round}-${n}-${organization}`)}, 'custom:a'
            )`;
          return row?.["id"] as string;
        }),
      ),
    );
    await sql`
      update public.memberships set role_key = 'custom:a'
      where organization_id = ${organization} and user_id = any (${admins})`;
    const attempts = await Promise.allSettled(
      invitations
        .flatMap((id, n) => [
          crowd.as(owner, (request) => request`select public.revoke_invitation(${id})`),
          crowd.as(owner, (request) => request`select public.resend_invitation(${id})`),
          save("custom:a"),
          n % 3 === 0 &&
            crowd.as(
              owner,
              (request) => request`select public.delete_role(${organization}, 'custom:a', 'viewer')`,
            ),
        ])
        .filter(Boolean),
    );
    const expected = ["done", "invitation_not_found", "role_not_found", "unknown_role"];
    expect(expected).toEqual(expect.arrayContaining(Object.keys(tally(attempts))));
  }
});

test("accounts are deleted while others work on what they made", async () => {
  const [owner = ""] = await crowd.people(1, "owner");
  const authors = await crowd.people(8, "developer");
  const organization = crowd.organization;
  for (const [n, author] of authors.entries()) {
    await crowd.as(
      author,
      (request) => request`
        insert into public.applications (organization_id, name, slug)
        select ${organization}, 'Application', 'application-' || ${n}::int || '-' || i from generate_series(1, 5) as i`,
    );
  }
  const rename = (slug: string) =>
    crowd.as(
      owner,
      (request) => request`
        update public.applications set name = 'Renamed' where organization_id = ${organization} and slug = ${slug}`,
    );
  const attempts = await Promise.allSettled(
    authors.flatMap((author, n) => [
      ...[1, 2].map((i) => rename(`application-${n}-${i}`)),
      crowd.as(author, (request) => request`select public.delete_account()`),
      ...[3, 4, 5].map((i) => rename(`application-${n}-${i}`)),
    ]),
  );
  expect(tally(attempts)).toEqual({ done: 48 });
});

/** Does `work` while `held` is locked by another transaction, which goes on to `then` as soon as somebody waits for it. */
async function behind(
  held: (locker: TransactionSql) => Promise<unknown>,
  work: () => Promise<unknown>,
  then: (locker: TransactionSql) => Promise<unknown> = async () => {},
) {
  const [outcome] = await sql.begin(async (locker) => {
    await held(locker);
    const attempt = Promise.allSettled([work()]);
    const [me] = await locker`select pg_backend_pid() as pid`;
    const waiting = () =>
      sql`select from pg_stat_activity where ${me?.["pid"]} = any (pg_blocking_pids(pid))`;
    while ((await waiting()).length === 0);
    await then(locker);
    return [attempt] as const;
  });
  return tally(await outcome);
}

test("who is demoted while they wait for their turn does nothing any more", async () => {
  const [owner = "", second = ""] = await crowd.people(2, "owner");
  const [admin = ""] = await crowd.people(1, "admin");
  const [viewer = ""] = await crowd.people(1, "viewer");
  const organization = crowd.organization;
  await crowd.as(
    owner,
    (request) => request`select public.save_role(${organization}, 'custom:a', 'Role', '{}')`,
  );
  const demoted = (person: string, work: (request: TransactionSql) => Promise<unknown>) =>
    behind(
      (locker) => locker`select private.lock_organization(${organization})`,
      () => crowd.as(person, work),
      (locker) => locker`
        update public.memberships set role_key = 'viewer'
        where organization_id = ${organization} and user_id = ${person}`,
    );
  const refused = { not_permitted: 1 };
  expect(
    await demoted(admin, (request) => request`select public.remove_member(${organization}, ${viewer})`),
  ).toEqual(refused);
  await sql`update public.memberships set role_key = 'admin' where user_id = ${admin}`;
  expect(
    await demoted(admin, (request) => request`select public.delete_role(${organization}, 'custom:a')`),
  ).toEqual(refused);
  expect(
    await demoted(second, (request) => request`select public.close_organization(${organization})`),
  ).toEqual(refused);
});

test("a stranger neither waits for an organization's lock nor holds it", async () => {
  const [stranger = ""] = await crowd.people(1);
  await sql.begin(async (locker) => {
    await locker`select private.lock_organization(${crowd.organization})`;
    const attempts = await Promise.allSettled(
      [
        "accept_ownership(%L)",
        "withdraw_ownership_offer(%L)",
        "restore_organization(%L)",
        "leave_organization(%L)",
        "offer_ownership(%L, %L)",
      ].map((call) =>
        crowd.as(stranger, async (request) => {
          await request`set local lock_timeout = '200ms'`;
          await request.unsafe(`select public.${call.replace(/%(1\$)?L/g, `'${crowd.organization}'`)}`);
        }),
      ),
    );
    expect(tally(attempts)).toEqual({
      offer_not_found: 2,
      organization_not_found: 1,
      member_not_found: 1,
      not_permitted: 1,
    });
  });
});

test("the audit chain is the last of all locks", async () => {
  const [owner = ""] = await crowd.people(1, "owner");
  const [invited = ""] = await crowd.people(1);
  const organization = crowd.organization;
  const save = (permissions: string[]) =>
    crowd.as(
      owner,
      (request) =>
        request`select public.save_role(${organization}, 'custom:a', 'Role', ${permissions}::text[])`,
    );
  const takeChain = (locker: TransactionSql) =>
    locker`select from private.audit_chains where organization_id = ${organization} for update`;
  await save(["applications.read", "members.read"]);
  expect(
    await behind(
      (locker) => locker`
        select from public.role_permissions
        where organization_id = ${organization} and permission = 'applications.read' for update`,
      () => save(["members.read"]),
      takeChain,
    ),
  ).toEqual({ done: 1 });

  const [invitation] = await crowd.as(
    owner,
    (request) => request`
      select token from public.invite_member(${organization}, ${addressOf(invited)}, 'custom:a')`,
  );
  expect(
    await behind(
      (locker) => locker`select from public.roles where organization_id = ${organization} for update`,
      () =>
        crowd.as(invited, (request) => request`select public.accept_invitation(${invitation?.["token"]})`),
      takeChain,
    ),
  ).toEqual({ done: 1 });
});
