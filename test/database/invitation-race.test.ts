import postgres from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";
import { addressOf, type Crowd, gather, tally } from "../support/crowd.ts";

const sql = postgres(inject("project").databaseUrl, { max: 20, onnotice() {} });
afterAll(() => sql.end());

let crowd: Crowd;
let owner: string;

beforeEach(async () => {
  crowd = await gather(sql);
  [owner = ""] = await crowd.people(1, "owner");
});
afterEach(() => crowd.disband());

const invite = (userId: string) =>
  crowd.as(owner, async (request) => {
    const [invited] = await request<{ token: string }[]>`
      select token from public.invite_member(${crowd.organization}, ${addressOf(userId)}, 'viewer')`;
    return invited?.token ?? "";
  });
const accept = (userId: string, token: string) =>
  crowd.as(userId, (request) => request`select public.accept_invitation(${token})`);
const members = async () =>
  (await sql`select from public.memberships where organization_id = ${crowd.organization}`).length;

test("20 acceptances of one token at the same moment: one wins", async () => {
  const [invited = ""] = await crowd.people(1);
  const token = await invite(invited);
  const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => accept(invited, token)));
  expect(tally(attempts)).toEqual({ done: 1, invitation_not_found: 19 });
  expect(await members()).toBe(2);
});

test("accepting, declining, revoking and resending one invitation at the same moment: nobody joins twice or late", async () => {
  const [invited = ""] = await crowd.people(1);
  const token = await invite(invited);
  const [invitation] =
    await sql`select id from public.invitations where organization_id = ${crowd.organization}`;
  const id = invitation?.["id"] as string;
  const attempts = await Promise.allSettled(
    Array.from({ length: 5 }, () => [
      accept(invited, token),
      crowd.as(invited, (request) => request`select public.decline_invitation(${token})`),
      crowd.as(owner, (request) => request`select public.revoke_invitation(${id})`),
      crowd.as(owner, (request) => request`select public.resend_invitation(${id})`),
    ]).flat(),
  );
  expect(Object.keys(tally(attempts)).sort()).toEqual(["done", "invitation_not_found"]);
  const [accepted] = attempts.filter((attempt, index) => index % 4 === 0 && attempt.status === "fulfilled");
  expect(await members()).toBe(accepted ? 2 : 1);
});

test("20 people accept at the same moment with two seats left: two join", async () => {
  await sql`update public.organizations set seat_limit = 3 where id = ${crowd.organization}`;
  const invited = await crowd.people(20);
  const tokens: string[] = [];
  for (const userId of invited) tokens.push(await invite(userId));
  const attempts = await Promise.allSettled(invited.map((userId, n) => accept(userId, tokens[n] ?? "")));
  expect(tally(attempts)).toEqual({ done: 2, limit_reached: 18 });
  expect(await members()).toBe(3);
});
