import { z } from "@hono/zod-openapi";
import type { SupabaseContext, SupabaseEnv } from "@supabase/server";
import type { Context, ValidationTargets } from "hono";
import type { WorkflowStore } from "../_documents/workflow-store.ts";
import type { FunctionApp, FunctionEnv } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { AppError } from "../_shared/errors.ts";
import { uuid, validationFailed } from "../_shared/validation.ts";
import { checkParts, shapeIssues } from "../_workflows/check.ts";
import { connectionsOf, type Content, contentOf } from "../_workflows/content.ts";
import { MAX_BYTES, type WorkflowDefinition } from "../_workflows/workflow.ts";
import type { Database } from "../../types/database.ts";
import type { Backend, createBackend } from "./backend.ts";
import { boundedJson } from "./bounded-json.ts";

/** What the routes are given. */
export interface Setting {
  app: FunctionApp;
  workflows: WorkflowStore;
  connect: typeof createBackend;
  keys: Partial<SupabaseEnv> | undefined;
}

interface Caller {
  backend: Backend;
  /** The caller's id. */
  by: string | undefined;
}

type UserContext = Context<FunctionEnv & { Variables: { supabaseContext: SupabaseContext<Database> } }>;

export function callerOf({ connect }: Setting, c: UserContext, organizationId: string): Caller {
  c.set("organizationId", organizationId);
  c.header("cache-control", "no-store");
  const { supabase, userClaims } = c.var.supabaseContext;
  return { backend: connect(supabase, c.var.requestId), by: userClaims?.id };
}

type Authenticated = ReturnType<typeof authenticate>;

/** What every route for people has in common. */
export const forPeople = ({ keys }: Pick<Setting, "keys">) => ({
  tags: ["workflows"],
  security: [{ userToken: [], publishableKey: [] }],
  middleware: [authenticate("user", keys)] as [Authenticated],
});
/** The same, with a body. */
export const forPeopleWithBody = ({ keys }: Pick<Setting, "keys">) => ({
  ...forPeople({ keys }),
  middleware: [authenticate("user", keys), boundedJson] as [Authenticated, Authenticated],
});

export const refusals = [
  "validation_failed",
  "missing_credentials",
  "invalid_token",
  "not_permitted",
  "database_unavailable",
  "mongodb_unavailable",
] as const;
/** Of routes that take a draft. */
export const draftRefusals = [
  ...refusals,
  "malformed_body",
  "invalid_workflow",
  "unknown_application",
  "unknown_connection",
  "payload_too_large",
] as const;

export const inOrganization = z.object({ organization_id: uuid });
export const ofWorkflow = z.object({ organization_id: uuid, id: uuid });
export const ifMatch = z.object({
  "if-match": z.string().max(200).optional().openapi({ description: "Required: the ETag of what you read." }),
});

export const json = <Schema extends z.ZodType>(schema: Schema) => ({ "application/json": { schema } });
export const body = <Schema extends z.ZodType>(schema: Schema) => ({ required: true, content: json(schema) });
export const answer = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: json(schema),
});

type Validated =
  & { target: keyof ValidationTargets }
  & ({ success: true } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } });

/** What is wrong with a workflow in a body is told by pointers into it. */
export function refuseBody(result: Validated): undefined {
  if (result.success) return;
  const { issues } = result.error;
  const inside = issues.filter(({ path }) => path.includes("definition"));
  if (result.target !== "json" || inside.length < issues.length) {
    throw validationFailed(result.target, issues);
  }
  const shortened = inside.map((issue) => ({
    ...issue,
    path: issue.path.slice(issue.path.indexOf("definition") + 1),
  }));
  throw invalidWorkflow(shapeIssues(shortened));
}

export const invalidWorkflow = (issues: { path: string; message: string }[]): AppError =>
  new AppError("invalid_workflow", { details: { issues } });

/**
 * What is stored of a definition whose shape is right.
 *
 * @throws {AppError} `invalid_workflow`, `payload_too_large`, `unknown_connection`
 */
export async function requireContent(
  definition: WorkflowDefinition,
  organizationId: string,
  backend: Backend,
): Promise<Content> {
  const issues = checkParts(definition);
  if (issues.length > 0) throw invalidWorkflow(issues);
  const content = await contentOf(definition);
  if (new TextEncoder().encode(content.definition).length > MAX_BYTES) {
    throw new AppError("payload_too_large", { details: { max_bytes: MAX_BYTES } });
  }
  await backend.connectionsExist(organizationId, connectionsOf(definition));
  return content;
}
