import { createRoute, z } from "@hono/zod-openapi";
import type { SupabaseEnv } from "@supabase/server";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { describeError, type Log, logToConsole } from "../_shared/log.ts";
import type { Mailer } from "../_shared/mailer.ts";
import { errorResponses } from "../_shared/responses.ts";
import { createBackend, type NewInvitation } from "./backend.ts";
import { acceptUrl, invitationMail } from "./invitation-mail.ts";
import { invitation, invitationInput } from "./schemas.ts";
import { uuid } from "../_shared/validation.ts";

export interface InvitationsOptions {
  /** Where the product's pages are. Read at each request, before anything is written. */
  appUrl: () => string;
  /** How mails are sent; undefined where they are not. Read at each request, before anything is written. */
  mailer: () => Mailer | undefined;
  log?: Log;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: typeof createBackend;
}

export function createApp(
  { appUrl, mailer, log = logToConsole, keys, connect = createBackend }: InvitationsOptions,
): FunctionApp {
  const app = createFunction({ name: "invitations", log });
  const answer = (description: string) => ({
    description,
    content: { "application/json": { schema: invitation } },
  });
  const refusals = ["missing_credentials", "invalid_token", "database_unavailable"] as const;

  const create = createRoute({
    method: "post",
    path: "/",
    operationId: "inviteMember",
    summary: "Invites somebody to an organization by e-mail",
    tags: ["invitations"],
    security: [{ userToken: [], publishableKey: [] }],
    middleware: [authenticate("user", keys)] as const,
    request: { body: { required: true, content: { "application/json": { schema: invitationInput } } } },
    responses: {
      201: answer("Invited."),
      ...errorResponses(
        ...refusals,
        "malformed_body",
        "validation_failed",
        "invalid_email",
        "unknown_role",
        "not_permitted",
        "role_above_own",
        "already_member",
        "already_invited",
        "too_many_invitations",
      ),
    },
  });

  const resend = createRoute({
    method: "post",
    path: "/{id}/resend",
    operationId: "resendInvitation",
    summary: "Sends an invitation again",
    description: "With a new link and a new week. The old link dies.",
    tags: ["invitations"],
    security: [{ userToken: [], publishableKey: [] }],
    middleware: [authenticate("user", keys)] as const,
    request: { params: z.object({ id: uuid }) },
    responses: {
      201: answer("Sent again."),
      ...errorResponses(...refusals, "validation_failed", "role_above_own", "invitation_not_found"),
    },
  });

  async function deliver(
    backend: ReturnType<typeof createBackend>,
    invited: NewInvitation,
    { url, post, requestId }: { url: string; post: Mailer | undefined; requestId: string },
  ) {
    const link = acceptUrl(url, invited.token);
    const answer = {
      id: invited.id,
      email: invited.email,
      role_key: invited.roleKey,
      expires_at: invited.expiresAt,
    };
    try {
      await post?.send(invitationMail(invited, await backend.surroundings(invited), link));
      if (post?.delivers) return { ...answer, delivery: "sent" as const };
    } catch (error) {
      log({ level: "warn", request_id: requestId, function: "invitations", error: describeError(error) });
    }
    return { ...answer, delivery: "not_sent" as const, accept_url: link };
  }

  app.openapi(create, async (c) => {
    const { organization_id, email, role_key } = c.req.valid("json");
    c.set("organizationId", organization_id);
    const settings = { url: appUrl(), post: mailer(), requestId: c.var.requestId };
    const backend = connect(c.var.supabaseContext, c.var.requestId);
    const invited = await backend.invite(organization_id, email, role_key);
    c.header("cache-control", "no-store");
    return c.json(await deliver(backend, invited, settings), 201);
  });

  app.openapi(resend, async (c) => {
    const settings = { url: appUrl(), post: mailer(), requestId: c.var.requestId };
    const backend = connect(c.var.supabaseContext, c.var.requestId);
    const invited = await backend.resend(c.req.valid("param").id);
    c.set("organizationId", invited.organizationId);
    c.header("cache-control", "no-store");
    return c.json(await deliver(backend, invited, settings), 201);
  });
  return app;
}
