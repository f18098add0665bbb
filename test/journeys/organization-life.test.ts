import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, inject, test } from "vitest";
import type { AuditEntry } from "../../src/client/index.ts";
import { invite, join, tokenOf } from "../support/invitations.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");

describe("the life of an organization", () => {
  let ada: Person;
  let grace: Person;
  let eve: Person;
  let id: string;
  let invitation: { id: string; token: string };

  beforeAll(async () => {
    [ada, grace, eve] = (await Promise.all(["Ada", "Grace", "Eve"].map((name) => signUp(project, name)))) as [
      Person,
      Person,
      Person,
    ];
    ({ id } = must(await ada.organizations.create({ name: "Engines", slug: uniqueSlug("engines") })));
  });

  const roles = async (person: Person) =>
    Object.fromEntries(
      must(await person.organizations.members(id)).map(({ users, role_key }) => [users.name, role_key]),
    );
  const sees = async (person: Person) =>
    must(await person.supabase.from("organizations").select("id").eq("id", id)).length === 1;

  test("somebody is invited, sees to what, and nobody else does", async () => {
    invitation = await invite(ada, id, grace.email, "viewer");
    expect(must(await ada.organizations.invitations(id))).toMatchObject([
      { id: invitation.id, email: grace.email, role_key: "viewer", invited_by: ada.id },
    ]);
    expect(must(await grace.organizations.previewInvitation(invitation.token))).toMatchObject({
      organization_name: "Engines",
      role_key: "viewer",
      role_name: "Viewer",
      invited_by: "Ada",
    });

    for (const attempt of ["previewInvitation", "acceptInvitation", "declineInvitation"] as const) {
      const foreign = await eve.organizations[attempt](invitation.token);
      const unknown = await eve.organizations[attempt]("unknown");
      expect(foreign.error).toMatchObject({ code: "invitation_not_found", status: 404 });
      expect(unknown.error?.message).toBe(foreign.error?.message);
    }
    expect(must(await eve.organizations.invitations(id))).toEqual([]);
  });

  test("what cannot be an invitation is refused by a code", async () => {
    const refused = async (person: Person, email: string, roleKey: string, organization = id) => {
      const { error } = await person.organizations.invite(organization, { email, roleKey });
      return [error?.code, error?.status];
    };
    expect(await refused(ada, grace.email, "viewer")).toEqual(["already_invited", 409]);
    expect(await refused(ada, ada.email, "viewer")).toEqual(["already_member", 409]);
    expect(await refused(ada, "no address", "viewer")).toEqual(["invalid_email", 400]);
    expect(await refused(ada, "a@example.com", "emperor")).toEqual(["unknown_role", 400]);
    expect(await refused(eve, "a@example.com", "viewer")).toEqual(["not_permitted", 403]);
    expect(await refused(eve, "a@example.com", "viewer", randomUUID())).toEqual(["not_permitted", 403]);
    expect(await refused(ada, "a@example.com", "viewer", "engines")).toEqual(["validation_failed", 400]);
  });

  test("sent again the old link is dead, and the new one is accepted once", async () => {
    const again = must(await ada.organizations.resendInvitation(invitation.id));
    const stale = await grace.organizations.acceptInvitation(invitation.token);
    expect(stale.error?.code).toBe("invitation_not_found");

    const token = tokenOf(again.accept_url);
    expect(must(await grace.organizations.acceptInvitation(token))).toMatchObject({ id, name: "Engines" });
    expect((await grace.organizations.acceptInvitation(token)).error?.code).toBe("invitation_not_found");
    expect(await roles(ada)).toEqual({ Ada: "owner", Grace: "viewer" });
    const resent = await ada.organizations.resendInvitation(invitation.id);
    expect(resent.error).toMatchObject({ code: "invitation_not_found", status: 404 });
  });

  test("a changed role holds at the next statement of the same token", async () => {
    const write = () =>
      grace.supabase
        .from("applications")
        .insert({ organization_id: id, name: "Loom", slug: uniqueSlug("loom") })
        .select("id")
        .single();
    expect((await write()).status).toBe(403);
    must(await ada.organizations.changeRole(id, grace.id, "developer"));
    const application = must(await write());
    const archived = must(await grace.organizations.archiveApplication(application.id));
    expect(archived.archived_at).toBeTruthy();
    expect(must(await grace.organizations.restoreApplication(application.id)).archived_at).toBeNull();
    expect((await eve.organizations.archiveApplication(application.id)).error?.code).toBe(
      "application_not_found",
    );

    must(await ada.organizations.changeRole(id, grace.id, "viewer"));
    expect((await write()).status).toBe(403);
    expect((await grace.organizations.changeRole(id, grace.id, "admin")).error?.code).toBe("not_permitted");
    const { error } = await grace.organizations.invite(id, { email: eve.email, roleKey: "viewer" });
    expect(error?.code).toBe("not_permitted");
  });

  test("a role of the organization's own works at once, and is deleted with a reassignment", async () => {
    const save = (permissions: string[]) =>
      ada.organizations.saveRole(id, { key: "custom:reader", name: "Reader", permissions });
    must(await save(["organizations.read", "applications.read"]));
    must(await ada.organizations.changeRole(id, grace.id, "custom:reader"));
    expect(await roles(grace)).toEqual({ Grace: "custom:reader" });
    must(await save(["organizations.read", "members.read"]));
    expect(await roles(grace)).toEqual({ Ada: "owner", Grace: "custom:reader" });

    expect((await save(["fly"])).error?.code).toBe("unknown_permission");
    expect((await ada.organizations.deleteRole(id, "custom:reader")).error?.code).toBe("role_in_use");
    expect(
      (await ada.organizations.deleteRole(id, "custom:reader", { reassignTo: "viewer" })).error,
    ).toBeNull();
    expect(await roles(ada)).toEqual({ Ada: "owner", Grace: "viewer" });
  });

  test("the last owner stays until ownership was offered and accepted", async () => {
    expect((await ada.organizations.leave(id)).error?.code).toBe("last_owner");
    expect((await ada.organizations.deleteAccount()).error?.code).toBe("last_owner");
    expect((await grace.organizations.acceptOwnership(id)).error?.code).toBe("offer_not_found");
    must(await ada.organizations.offerOwnership(id, grace.id));
    expect((await grace.organizations.withdrawOwnershipOffer(id)).error).toBeNull();
    must(await ada.organizations.offerOwnership(id, grace.id));
    expect(must(await grace.organizations.acceptOwnership(id)).role_key).toBe("owner");
    expect(await roles(grace)).toEqual({ Ada: "admin", Grace: "owner" });

    expect((await ada.organizations.removeMember(id, grace.id)).error?.code).toBe("member_above_own");
    expect((await ada.organizations.leave(id)).error).toBeNull();
    expect(await sees(ada)).toBe(false);
    expect(must(await ada.organizations.members(id))).toEqual([]);
  });

  test("closed, it is gone for everybody at once; restored, all is back", async () => {
    await join(grace, id, ada, "admin");
    await join(grace, id, eve, "viewer");
    expect((await ada.organizations.close(id)).error?.code).toBe("not_permitted");
    expect(must(await grace.organizations.close(id)).closed_at).toBeTruthy();

    expect(await Promise.all([ada, eve, grace].map(sees))).toEqual([false, false, true]);
    const invited = await ada.organizations.invite(id, { email: "late@example.com", roleKey: "viewer" });
    expect(invited.error?.code).toBe("not_permitted");
    expect((await grace.organizations.exportAudit(id)).error?.code).toBe("not_permitted");
    expect((await ada.organizations.restore(id)).error?.code).toBe("organization_not_found");

    expect(must(await grace.organizations.restore(id)).closed_at).toBeNull();
    expect(await Promise.all([ada, eve, grace].map(sees))).toEqual([true, true, true]);
    must(await ada.organizations.members(id));
    expect((await ada.organizations.removeMember(id, eve.id)).error).toBeNull();
    expect(await sees(eve)).toBe(false);
  });

  test("the audit log tells all of it, to those who may read it, and verifies", async () => {
    const entries: AuditEntry[] = [];
    for await (const { data, error } of grace.organizations.auditLog(id, { pageSize: 7 })) {
      expect(error).toBeNull();
      entries.push(...(data ?? []));
    }
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
    const did = (person: Person, action: string) =>
      entries.some((entry) => entry.actor_id === person.id && entry.action === action);
    expect(did(ada, "organizations.insert")).toBe(true);
    expect(did(ada, "invitations.insert")).toBe(true);
    expect(did(grace, "invitations.delete")).toBe(true);
    expect(did(grace, "memberships.insert")).toBe(true);
    expect(did(ada, "memberships.update")).toBe(true);
    expect(did(ada, "ownership_offers.insert")).toBe(true);
    expect(did(ada, "memberships.delete")).toBe(true);
    expect(did(grace, "organizations.update")).toBe(true);
    expect(JSON.stringify(entries)).not.toContain(grace.email);

    const newest = await grace.organizations.auditLog(id, { newestFirst: true, pageSize: 1 }).next();
    expect(newest.value).toMatchObject({ data: [{ seq: entries.length }], error: null });

    expect(must(await grace.organizations.verifyAudit(id))).toMatchObject({
      checked: entries.length,
      first_broken_seq: null,
      reason: null,
      head_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect((await eve.organizations.verifyAudit(id)).error?.code).toBe("not_permitted");
    const foreign = await eve.organizations.auditLog(id).next();
    expect(foreign.done).toBe(true);
  });

  test("it is exported whole, in both formats, and the export is in the log", async () => {
    const read = async (format: "ndjson" | "csv") => {
      const { data, error, response } = await grace.organizations.exportAudit(id, { format });
      expect(error).toBeNull();
      return { text: await new Response(data).text(), type: response?.headers.get("content-type") };
    };
    const ndjson = await read("ndjson");
    expect(ndjson.type).toContain("ndjson");
    const entries = ndjson.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
    expect(entries.at(-1)).toMatchObject({
      action: "audit.export",
      actor_id: grace.id,
      after: { format: "ndjson" },
      request_id: expect.any(String),
    });
    // Whoever has the file can follow the chain.
    for (const [index, { previous_hash }] of entries.entries()) {
      expect(previous_hash).toBe(entries[index - 1]?.hash ?? "");
    }

    const csv = await read("csv");
    expect(csv.type).toContain("text/csv");
    expect(csv.text.split("\r\n")).toHaveLength(entries.length + 3);
    const verified = must(await grace.organizations.verifyAudit(id));
    expect(verified).toMatchObject({ checked: entries.length + 1, head_hash: csv.text.trimEnd().slice(-64) });

    for (const organization of [id, randomUUID()]) {
      const { error } = await eve.organizations.exportAudit(organization);
      expect(error).toMatchObject({ code: "not_permitted", status: 403 });
    }
    const { error } = await grace.organizations.exportAudit(id, { from: "yesterday" });
    expect(error?.code).toBe("validation_failed");
  });

  test("bad input is a code and a sentence, and changes nothing", async () => {
    const codes = await Promise.all([
      ada.organizations.create({ name: "<b>Bold</b>", slug: uniqueSlug("bold") }),
      ada.organizations.create({ name: "x".repeat(101), slug: uniqueSlug("long") }),
      ada.organizations.create({ name: "Admin", slug: "admin" }),
      ada.organizations.leave("not-an-id"),
      ada.organizations.leave(randomUUID()),
      ada.organizations.removeMember(id, randomUUID()),
      ada.organizations.revokeInvitation(randomUUID()),
      ada.organizations.deleteRole(id, "custom:none"),
      ada.organizations.saveRole(id, { key: "plain", name: "Plain", permissions: [] }),
    ]);
    expect(codes.map(({ error }) => error?.code)).toEqual([
      "invalid_organization_name",
      "invalid_organization_name",
      "slug_reserved",
      "invalid_id",
      "member_not_found",
      "member_not_found",
      "invitation_not_found",
      "role_not_found",
      "invalid_role_key",
    ]);
    for (const { error } of codes) expect(error?.message).toMatch(/^[A-Z].*\.$/);
  });

  test("an account that is deleted takes its memberships along", async () => {
    expect((await ada.organizations.deleteAccount()).error).toBeNull();
    expect(await roles(grace)).toEqual({ Grace: "owner" });
    expect(await sees(ada)).toBe(false);
  });

  test("nobody who is not signed in does anything", async () => {
    await eve.supabase.auth.signOut();
    expect((await eve.organizations.leave(id)).error?.code).toBe("missing_credentials");
    expect((await eve.organizations.exportAudit(id)).error?.code).toBe("missing_credentials");
  });
});
