import assert from "node:assert/strict";
import { acceptUrl, invitationMail } from "./invitation-mail.ts";

const invitation = {
  id: "1",
  organizationId: "2",
  email: "grace@example.com",
  roleKey: "custom:auditor",
  expiresAt: "2026-12-01T10:30:00.123+00:00",
  token: "t-1_2",
};
const link = acceptUrl("https://app.example.com", invitation.token);

Deno.test("the token stands in the fragment", () => {
  assert.equal(link, "https://app.example.com/invitations/accept#token=t-1_2");
  assert.equal(
    acceptUrl("http://localhost:3000/app/", "a"),
    "http://localhost:3000/app/invitations/accept#token=a",
  );
  assert.equal(new URL(link).pathname + new URL(link).search, "/invitations/accept");
});

Deno.test("the mail says who, to what, as what, until when, where, and what else", () => {
  const surroundings = { organizationName: "Acme", roleName: "Auditor", inviterName: "Ada Lovelace" };
  const { to, subject, text } = invitationMail(invitation, surroundings, link);
  assert.equal(to, "grace@example.com");
  assert.equal(subject, "Ada Lovelace invites you to Acme");
  for (const part of ["Ada Lovelace", "Acme", "Auditor", "2026-12-01 at 10:30 UTC", link, "did not expect"]) {
    assert.ok(text.includes(part), part);
  }
});

Deno.test("names bring neither lines nor links", () => {
  const hostile = "Acme\r\n\r\nYour account is closed: https://evil.example";
  const { subject, text } = invitationMail(
    invitation,
    { organizationName: hostile, roleName: hostile, inviterName: hostile },
    link,
  );
  assert.doesNotMatch(subject, /[\r\n]/);
  assert.doesNotMatch(text, /^Your account/m);
  assert.equal(text.match(/https?:\/\//g)?.length, 1);
});

Deno.test("what the inviter may not read has a plain word instead", () => {
  const unknown = { organizationName: undefined, roleName: undefined, inviterName: undefined };
  const { subject, text } = invitationMail(invitation, unknown, link);
  assert.equal(subject, "Somebody invites you to an organization");
  assert.ok(text.includes("custom:auditor"));
});
