import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import { readAuditLog } from "./audit-log.ts";
import { type CallOptions, createCaller, first } from "./call.ts";
import type { FunctionsClient } from "./functions.ts";
import { failed, type Outcome, outcome } from "./outcome.ts";

type Application = Database["public"]["Tables"]["applications"]["Row"];

export type { CallOptions };

/** A part of a list. The backend gives at most 1,000 rows at once. */
export interface ListOptions extends CallOptions {
  /** How many to pass over. Default 0. */
  offset?: number;
  /** How many to give. Default 1,000. */
  limit?: number;
}

/** What `verify_audit_chain` found. */
export interface AuditVerification {
  /** Rows that were checked and are as they were written. */
  checked: number;
  /** The first row that is not; null when all are. */
  first_broken_seq: number | null;
  reason: "missing" | "duplicated" | "unchained" | "altered" | null;
  /** The chain's last hash, in hex: kept elsewhere, it proves later that nothing was rewritten. */
  head_hash: string | null;
}

/** Organizations and all that happens to them: the calls of one who is signed in. Nothing here throws. */
export type OrganizationsClient = ReturnType<typeof createOrganizationsClient>;

export function createOrganizationsClient(supabase: SupabaseClient<Database>, functions: FunctionsClient) {
  const call = createCaller(supabase);

  function list<T>(
    query: {
      range(
        from: number,
        to: number,
      ): PromiseLike<{ data: T | null; error: unknown; status: number }> & {
        abortSignal(signal: AbortSignal): PromiseLike<{ data: T | null; error: unknown; status: number }>;
      };
    },
    { offset = 0, limit = 1000, signal }: ListOptions,
  ): Promise<Outcome<T, never>> {
    const page = query.range(offset, offset + limit - 1);
    return outcome(signal ? page.abortSignal(signal) : page, []);
  }

  /** Archived at the time it happens; read-only from then on. */
  async function setArchived(applicationId: string, archivedAt: string | null, { signal }: CallOptions = {}) {
    const update = supabase
      .from("applications")
      .update({ archived_at: archivedAt })
      .eq("id", applicationId)
      .select();
    const { data, error } = await outcome<Application | null, "application_archived">(
      (signal ? update.abortSignal(signal) : update).maybeSingle(),
      ["application_archived"],
    );
    if (error) return { data: null, error };
    if (data) return { data, error: null };
    return failed("application_not_found", "There is no such application that you may change.");
  }

  return {
    /** Makes an organization, and the caller its owner. */
    create: (organization: { name: string; slug: string }, options?: CallOptions) =>
      call(
        "create_organization",
        { p_name: organization.name, p_slug: organization.slug },
        [
          "not_signed_in",
          "missing_value",
          "invalid_organization_name",
          "invalid_slug",
          "slug_reserved",
          "slug_taken",
        ],
        options,
      ),

    /** Invites by e-mail. `accept_url` is in the answer only where the backend sends no mails, and this once. */
    invite: (
      organizationId: string,
      { email, roleKey }: { email: string; roleKey: string },
      { signal }: CallOptions = {},
    ) =>
      functions.POST("/invitations", {
        body: { organization_id: organizationId, email, role_key: roleKey },
        ...(signal && { signal }),
      }),

    /** Sends an invitation again, with a new link and a new week; the old link dies. */
    resendInvitation: (invitationId: string, { signal }: CallOptions = {}) =>
      functions.POST("/invitations/{id}/resend", {
        params: { path: { id: invitationId } },
        ...(signal && { signal }),
      }),

    revokeInvitation: (invitationId: string, options?: CallOptions) =>
      call("revoke_invitation", { p_invitation_id: invitationId }, ["invitation_not_found"], options),

    /** The open invitations, for those who manage members; nothing for others. */
    invitations: (organizationId: string, options: ListOptions = {}) =>
      list(
        supabase
          .from("invitations")
          .select("id, email, role_key, invited_by, expires_at, created_at")
          .eq("organization_id", organizationId)
          .order("created_at")
          .order("id"),
        options,
      ),

    /** What the caller is invited to. `token` is the part of the link behind `#token=`. */
    previewInvitation: (token: string, options?: CallOptions) =>
      first(call("preview_invitation", { p_token: token }, ["invitation_not_found"], options)),

    /** Joins the organization, which is the answer. */
    acceptInvitation: (token: string, options?: CallOptions) =>
      call(
        "accept_invitation",
        { p_token: token },
        ["invitation_not_found", "limit_reached", "already_member"],
        options,
      ),

    declineInvitation: (token: string, options?: CallOptions) =>
      call("decline_invitation", { p_token: token }, ["invitation_not_found"], options),

    /** The members with their profiles, the oldest first. */
    members: (organizationId: string, options: ListOptions = {}) =>
      list(
        supabase
          .from("memberships")
          .select("user_id, role_key, created_at, users(name, email, avatar_url)")
          .eq("organization_id", organizationId)
          .order("created_at")
          .order("user_id"),
        options,
      ),

    changeRole: (organizationId: string, userId: string, roleKey: string, options?: CallOptions) =>
      call(
        "change_member_role",
        { p_organization_id: organizationId, p_user_id: userId, p_role_key: roleKey },
        [
          "not_permitted",
          "member_not_found",
          "member_above_own",
          "unknown_role",
          "role_above_own",
          "last_owner",
        ],
        options,
      ),

    removeMember: (organizationId: string, userId: string, options?: CallOptions) =>
      call(
        "remove_member",
        { p_organization_id: organizationId, p_user_id: userId },
        ["not_permitted", "member_not_found", "member_above_own", "last_owner"],
        options,
      ),

    leave: (organizationId: string, options?: CallOptions) =>
      call(
        "leave_organization",
        { p_organization_id: organizationId },
        ["member_not_found", "last_owner"],
        options,
      ),

    /** Offers ownership to a member, for a week. An earlier offer is replaced. */
    offerOwnership: (organizationId: string, userId: string, options?: CallOptions) =>
      call(
        "offer_ownership",
        { p_organization_id: organizationId, p_user_id: userId },
        ["not_permitted", "member_not_found"],
        options,
      ),

    /** Withdraws the offer, or declines it: for who made it and who received it. */
    withdrawOwnershipOffer: (organizationId: string, options?: CallOptions) =>
      call("withdraw_ownership_offer", { p_organization_id: organizationId }, ["offer_not_found"], options),

    /** The caller becomes owner; who offered it becomes an administrator. */
    acceptOwnership: (organizationId: string, options?: CallOptions) =>
      call("accept_ownership", { p_organization_id: organizationId }, ["offer_not_found"], options),

    /** Makes or changes a role of the organization's own: its key begins with `custom:`. */
    saveRole: (
      organizationId: string,
      role: { key: string; name: string; permissions: string[]; description?: string },
      options?: CallOptions,
    ) =>
      call(
        "save_role",
        {
          p_organization_id: organizationId,
          p_key: role.key,
          p_name: role.name,
          p_permissions: role.permissions,
          ...(role.description !== undefined && { p_description: role.description }),
        },
        [
          "not_permitted",
          "permission_above_own",
          "unknown_permission",
          "too_many_roles",
          "invalid_role_key",
          "invalid_role_name",
          "invalid_role_description",
        ],
        options,
      ),

    /** Deletes a role. Who has it, or is invited to it, gets `reassignTo`. */
    deleteRole: (
      organizationId: string,
      roleKey: string,
      { reassignTo, ...options }: CallOptions & { reassignTo?: string } = {},
    ) =>
      call(
        "delete_role",
        {
          p_organization_id: organizationId,
          p_key: roleKey,
          ...(reassignTo && { p_reassign_to: reassignTo }),
        },
        ["not_permitted", "role_not_found", "role_above_own", "role_in_use", "unknown_role"],
        options,
      ),

    /** Closes it for everybody at once. Its owners can restore it for 30 days; then all of it is purged. */
    close: (organizationId: string, options?: CallOptions) =>
      call("close_organization", { p_organization_id: organizationId }, ["not_permitted"], options),

    restore: (organizationId: string, options?: CallOptions) =>
      call(
        "restore_organization",
        { p_organization_id: organizationId },
        ["organization_not_found"],
        options,
      ),

    /** Deletes the caller's account, profile and memberships. What they made stays, without their name. */
    deleteAccount: (options?: CallOptions) =>
      call("delete_account", {}, ["not_signed_in", "last_owner"], options),

    archiveApplication: (applicationId: string, options?: CallOptions) =>
      setArchived(applicationId, new Date().toISOString(), options),

    restoreApplication: (applicationId: string, options?: CallOptions) =>
      setArchived(applicationId, null, options),

    /**
     * The audit log, page by page, each an outcome; it ends after the last page or the first error.
     *
     * @example
     * ```ts
     * for await (const { data, error } of nectar.organizations.auditLog(organization.id, { newestFirst: true })) {
     *   if (error) return show(error);
     *   render(data);
     * }
     * ```
     */
    auditLog: (organizationId: string, options?: Parameters<typeof readAuditLog>[2]) =>
      readAuditLog(supabase, organizationId, options),

    /** Recomputes the audit log's chain of hashes, from one number to another or all of it. */
    verifyAudit: (
      organizationId: string,
      { from, to, ...options }: CallOptions & { from?: number; to?: number } = {},
    ) =>
      first(
        call(
          "verify_audit_chain",
          {
            p_organization_id: organizationId,
            ...(from !== undefined && { p_from: from }),
            ...(to !== undefined && { p_to: to }),
          },
          ["not_permitted"],
          options,
        ) as Promise<Outcome<AuditVerification[], "not_permitted">>,
      ),

    /** The audit log as a file: a stream of bytes, however long. Times are ISO 8601; `to` is left out itself. */
    exportAudit: (
      organizationId: string,
      {
        format = "ndjson",
        from,
        to,
        signal,
      }: CallOptions & { format?: "ndjson" | "csv"; from?: string; to?: string } = {},
    ) =>
      functions.GET("/audit/{organization_id}/export", {
        params: {
          path: { organization_id: organizationId },
          query: { format, ...(from && { from }), ...(to && { to }) },
        },
        parseAs: "stream",
        ...(signal && { signal }),
      }),
  };
}
