import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { AppError } from "../_shared/errors.ts";

/** An invitation whose token is known only now. */
export interface NewInvitation {
  id: string;
  organizationId: string;
  email: string;
  roleKey: string;
  expiresAt: string;
  token: string;
}

/** What a mail says of the organization, as far as the caller may read it. */
export interface Surroundings {
  organizationName: string | undefined;
  roleName: string | undefined;
  inviterName: string | undefined;
}

/** The database as the caller sees it: row security and its functions decide. Throws AppErrors. */
export interface Backend {
  invite(organizationId: string, email: string, roleKey: string): Promise<NewInvitation>;
  resend(invitationId: string): Promise<NewInvitation>;
  surroundings(invitation: NewInvitation): Promise<Surroundings>;
}

type Context = SupabaseContext<Database>;

export function createBackend(
  { supabase, userClaims }: Pick<Context, "supabase" | "userClaims">,
  requestId: string,
): Backend {
  // So that the audit log names the request.
  const header = ["x-request-id", requestId] as const;
  return {
    async invite(organizationId, given, roleKey) {
      // PostgreSQL trims fewer characters: what it invites must be what the mail goes to.
      const email = given.trim().toLowerCase();
      const args = { p_organization_id: organizationId, p_email: email, p_role_key: roleKey };
      const [invited] = dataOf(await supabase.rpc("invite_member", args).setHeader(...header));
      if (!invited) throw new AppError("internal");
      return {
        id: invited.invitation_id,
        organizationId,
        email,
        roleKey,
        expiresAt: invited.expires_at,
        token: invited.token,
      };
    },
    async resend(invitationId) {
      const [sent] = dataOf(
        await supabase.rpc("resend_invitation", { p_invitation_id: invitationId }).setHeader(...header),
      );
      const row = dataOf(
        await supabase.from("invitations").select("organization_id, email, role_key").eq("id", invitationId)
          .maybeSingle(),
      );
      // Revoked in between.
      if (!sent || !row) throw new AppError("invitation_not_found");
      return {
        id: invitationId,
        organizationId: row.organization_id,
        email: row.email,
        roleKey: row.role_key,
        expiresAt: sent.expires_at,
        token: sent.token,
      };
    },
    async surroundings({ organizationId, roleKey }) {
      const [organization, roles, profile] = await Promise.all([
        supabase.from("organizations").select("name").eq("id", organizationId).maybeSingle(),
        supabase.from("roles").select("name").eq("key", roleKey)
          .or(`organization_id.is.null,organization_id.eq.${organizationId}`).limit(1).maybeSingle(),
        supabase.from("users").select("name, email").eq("id", userClaims?.id ?? "").maybeSingle(),
      ]);
      return {
        organizationName: organization.data?.name,
        roleName: roles.data?.name,
        inviterName: profile.data?.name ?? profile.data?.email ?? undefined,
      };
    },
  };
}
