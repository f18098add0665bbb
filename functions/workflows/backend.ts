import type { SupabaseContext } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { dataOf } from "../_shared/database-errors.ts";
import { AppError } from "../_shared/errors.ts";

type Client = SupabaseContext<Database>["supabase"];

export type Permission = "workflows.read" | "workflows.write" | "workflows.publish";

/** The database as the caller sees it: it decides who may do what. Throws AppErrors. */
export interface Backend {
  /** @throws {AppError} `not_permitted`, whether the organization is another's or none. */
  requirePermission(organizationId: string, permission: Permission): Promise<void>;
  /**
   * How many workflows the plan allows; null is no limit.
   *
   * @throws {AppError} `not_permitted` without `workflows.write`.
   */
  workflowLimit(organizationId: string): Promise<number | null>;
  /** @throws {AppError} `unknown_connection` when one of them is not this organization's, as far as the caller may see. */
  connectionsExist(organizationId: string, ids: readonly string[]): Promise<void>;
  /** @throws {AppError} `unknown_application`, likewise. */
  applicationExists(organizationId: string, id: string): Promise<void>;
}

export function createBackend(supabase: Client, requestId: string): Backend {
  const header = ["x-request-id", requestId] as const;
  return {
    async requirePermission(organizationId, permission) {
      const args = { p_organization_id: organizationId, p_permission: permission };
      const may = dataOf(await supabase.rpc("has_permission", args).setHeader(...header));
      if (!may) throw new AppError("not_permitted");
    },
    async workflowLimit(organizationId) {
      const args = { p_organization_id: organizationId, p_permission: "workflows.write" };
      const [limits] = dataOf(await supabase.rpc("document_limits", args).setHeader(...header));
      if (!limits) throw new AppError("internal");
      // The generated type does not know that null is no limit.
      return limits.workflows as number | null;
    },
    async connectionsExist(organizationId, ids) {
      const missing: string[] = [];
      // They stand in a URL, which gateways take up to 8 KiB of.
      for (let at = 0; at < ids.length; at += 100) {
        const asked = ids.slice(at, at + 100);
        const found = dataOf(
          await supabase.from("database_connections").select("id")
            .eq("organization_id", organizationId).in("id", asked).setHeader(...header),
        );
        missing.push(...asked.filter((id) => !found.some((connection) => connection.id === id)));
      }
      if (missing.length > 0) throw new AppError("unknown_connection", { details: { connections: missing } });
    },
    async applicationExists(organizationId, id) {
      const found = dataOf(
        await supabase.from("applications").select("id")
          .eq("organization_id", organizationId).eq("id", id).setHeader(...header).maybeSingle(),
      );
      if (!found) throw new AppError("unknown_application");
    },
  };
}

/**
 * The organization that has a slug, for servers: whatever is closed is not found.
 *
 * @throws {AppError} `organization_not_found`
 */
export async function organizationBySlug(admin: Client, slug: string): Promise<string> {
  const found = dataOf(
    await admin.from("organizations").select("id").eq("slug", slug).is("closed_at", null).maybeSingle(),
  );
  if (!found) throw new AppError("organization_not_found");
  return found.id;
}
