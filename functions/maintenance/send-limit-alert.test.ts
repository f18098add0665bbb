import assert from "node:assert/strict";
import type { Mail, Mailer } from "../_shared/mailer.ts";
import { limitMail, sendLimitAlert } from "./send-limit-alert.ts";

const payload = {
  user_id: crypto.randomUUID(),
  metric: "api_requests",
  threshold: 80,
  used: 8000,
  quota: 10000,
  overage: false,
  period_start: "2026-11-01T00:00:00+00:00",
  period_end: "2026-12-01T00:00:00+00:00",
};
const clock = () => Date.parse("2026-11-20T12:00:00Z");
const entry = { id: 1, organization_id: crypto.randomUUID(), payload, attempts: 1 };

/** The one query that is made, with its filters kept. */
function createFakeAdmin(member: unknown) {
  const filters: unknown[] = [];
  const query = {
    select: () => query,
    eq: (column: string, value: unknown) => {
      filters.push([column, value]);
      return query;
    },
    maybeSingle: () => Promise.resolve({ data: member, error: null, status: 200 }),
  };
  return { admin: { from: () => query } as never, filters };
}

function createFakeMailer(fails = false) {
  const sent: Mail[] = [];
  const mailer: Mailer = {
    delivers: true,
    send: (mail) => fails ? Promise.reject(new Error("no")) : Promise.resolve(void sent.push(mail)),
  };
  return { mailer, sent };
}

const member = { users: { email: "ada@example.com" }, organizations: { name: "Acme" } };

Deno.test("the member is told", async () => {
  const { mailer, sent } = createFakeMailer();
  const { admin, filters } = createFakeAdmin(member);
  assert.equal(await sendLimitAlert(() => mailer, clock).consume(entry, () => false, admin), true);
  assert.deepEqual(sent.map(({ to, subject }) => [to, subject]), [
    ["ada@example.com", "Acme has used 80 % of this month's api_requests"],
  ]);
  assert.match(
    sent[0]?.text ?? "",
    /8,000 of 10,000 api_requests[\s\S]*2026-12-01 \(UTC\)\. What goes beyond it is refused/,
  );
  assert.deepEqual(filters, [
    ["organization_id", entry.organization_id],
    ["user_id", payload.user_id],
    ["active", true],
  ]);
});

Deno.test("who has left, or has no address, is not", async () => {
  const { mailer, sent } = createFakeMailer();
  for (const gone of [null, { ...member, users: { email: null } }]) {
    const { admin } = createFakeAdmin(gone);
    assert.equal(await sendLimitAlert(() => mailer, clock).consume(entry, () => false, admin), true);
  }
  assert.deepEqual(sent, []);
});

Deno.test("nobody hears of a month that is long over", async () => {
  const { mailer, sent } = createFakeMailer();
  const { admin } = createFakeAdmin(member);
  for (const at of ["2026-12-02T00:00:00Z", "2026-12-02T00:00:01Z"]) {
    const consumer = sendLimitAlert(() => mailer, () => Date.parse(at));
    assert.equal(await consumer.consume(entry, () => false, admin), true);
  }
  assert.equal(sent.length, 1);
});

Deno.test("a mail that fails leaves the entry open; so does a backend without mails", async () => {
  const { mailer } = createFakeMailer(true);
  const { admin } = createFakeAdmin(member);
  await assert.rejects(() => sendLimitAlert(() => mailer, clock).consume(entry, () => false, admin));
  assert.equal(sendLimitAlert(() => undefined).ready(), false);
  assert.equal(sendLimitAlert(() => mailer).ready(), true);
});

Deno.test("a payload that is none is refused", async () => {
  const { mailer } = createFakeMailer();
  const { admin } = createFakeAdmin(member);
  const odd = { ...entry, payload: { metric: "api_requests" } };
  await assert.rejects(() => sendLimitAlert(() => mailer, clock).consume(odd, () => false, admin));
});

Deno.test("the name of an organization brings no lines and no links; overage is said", () => {
  const { subject, text } = limitMail(
    { ...payload, overage: true },
    "ada@example.com",
    "Acme\r\nBcc: all@example.com https://evil.example",
  );
  assert.doesNotMatch(subject + text, /\nBcc|https:\/\//);
  const long = limitMail(payload, "ada@example.com", `<b>${"a".repeat(5000)}`);
  assert.ok(long.subject.length < 200, "nor a page of its own");
  assert.match(text, /billed by your plan/);
});
