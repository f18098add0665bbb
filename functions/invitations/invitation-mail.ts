import { type Mail, nameInMail } from "../_shared/mailer.ts";
import type { NewInvitation, Surroundings } from "./backend.ts";

/** Where the invited person decides. The token stands in the fragment, which browsers keep to themselves. */
export function acceptUrl(appUrl: string, token: string): string {
  return `${appUrl.replace(/[/?#]*$/, "")}/invitations/accept#token=${encodeURIComponent(token)}`;
}

/** What the invited person reads. */
export function invitationMail(
  invitation: NewInvitation,
  { organizationName, roleName, inviterName }: Surroundings,
  link: string,
): Mail {
  const inviter = nameInMail(inviterName ?? "Somebody");
  const organization = nameInMail(organizationName ?? "an organization");
  const role = nameInMail(roleName ?? invitation.roleKey);
  const until = new Date(invitation.expiresAt).toISOString().slice(0, 16).replace("T", " at ");
  return {
    to: invitation.email,
    subject: `${inviter} invites you to ${organization}`,
    text: `Hello,

${inviter} invites you to join ${organization}, with the role ${role}.

To see what it is and decide, open this link until ${until} UTC, and sign in (or sign up) with this e-mail
address, ${invitation.email}:

${link}

The link works once, and only for you: please do not pass it on.

If you did not expect this invitation, you need not do anything. Nothing happens without you, and the invitation
ends by itself.
`,
  };
}
