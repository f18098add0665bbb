import { z } from "@hono/zod-openapi";
import { uuid } from "../_shared/validation.ts";

export const invitationInput = z.object({
  organization_id: uuid,
  // Whether it is an address, and whether it can be invited, the database says.
  email: z.string().max(254).openapi({ example: "grace@example.com" }),
  role_key: z.string().max(64).openapi({ example: "developer" }),
}).openapi("InvitationInput");

export const invitation = z.object({
  id: uuid,
  email: z.string(),
  role_key: z.string(),
  expires_at: z.string(),
  delivery: z.enum(["sent", "not_sent"]).openapi({
    description: "`not_sent`: this backend sends no mails, or the mail server did not take this one.",
  }),
  accept_url: z.string().optional().openapi({
    description: "Only when the mail was not sent, and this once: hand it to the invited person yourself.",
  }),
}).openapi("SentInvitation");
