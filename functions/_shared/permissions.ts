import type { SupabaseContext } from "@supabase/server";
import { createAdminClient } from "@supabase/server/core";
import type { Database } from "../../types/database.ts";
import { dataOf } from "./database-errors.ts";
import { AppError } from "./errors.ts";

type Client = SupabaseContext<Database>["supabase"];

/** What an organization's plan lets it keep; null is no limit. */
export interface DocumentLimits {
  artifact_bytes: number | null;
  cache_bytes: number | null;
  activity_days: number | null;
}

/** What the database says of who may do what with documents. Throws AppErrors. */
export interface Permissions {
  /** @throws {AppError} `not_permitted`, whether the organization is another's or none. */
  require(organizationId: string, permission: string): Promise<void>;
  /** @throws {AppError} `not_permitted` without the permission. */
  limits(organizationId: string, permission: string): Promise<DocumentLimits>;
}

/** Asks as the caller. */
export function createPermissions(supabase: Client, requestId: string): Permissions {
  return {
    async require(organizationId, permission) {
      const args = { p_organization_id: organizationId, p_permission: permission };
      const may = dataOf(await supabase.rpc("has_permission", args).setHeader("x-request-id", requestId));
      if (!may) throw new AppError("not_permitted");
    },
    limits: (organizationId, permission) => limitsOf(supabase, organizationId, permission, requestId),
  };
}

/** For how many days the organization's plan keeps activity, asked by a server: no permission is needed. */
export async function activityDays(organizationId: string): Promise<number | null> {
  const admin = createAdminClient<Database>();
  return (await limitsOf(admin, organizationId, null as never, crypto.randomUUID())).activity_days;
}

async function limitsOf(client: Client, organizationId: string, permission: string, requestId: string) {
  const args = { p_organization_id: organizationId, p_permission: permission };
  const [limits] = dataOf(await client.rpc("document_limits", args).setHeader("x-request-id", requestId));
  if (!limits) throw new AppError("internal");
  return limits;
}
