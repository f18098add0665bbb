import { expect } from "vitest";
import { must, type Person } from "./people.ts";

/** Invites somebody and gives the link's token. Needs a backend that sends no mails, as the local one. */
export async function invite(
  inviter: Person,
  organizationId: string,
  email: string,
  roleKey: string,
): Promise<{ id: string; token: string }> {
  const invited = must(await inviter.organizations.invite(organizationId, { email, roleKey }));
  expect(invited).toMatchObject({ email, role_key: roleKey, delivery: "not_sent" });
  return { id: invited.id, token: tokenOf(invited.accept_url) };
}

/** The token in an invitation's link. */
export function tokenOf(acceptUrl: string | undefined): string {
  const url = new URL(acceptUrl ?? "");
  expect(url.pathname).toMatch(/\/invitations\/accept$/);
  return new URLSearchParams(url.hash.slice(1)).get("token") ?? "";
}

/** Makes somebody a member, by an invitation that they accept. */
export async function join(
  inviter: Person,
  organizationId: string,
  person: Person,
  roleKey: string,
): Promise<void> {
  const { token } = await invite(inviter, organizationId, person.email, roleKey);
  must(await person.organizations.acceptInvitation(token));
}
