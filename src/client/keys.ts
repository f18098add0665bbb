import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import { type CallOptions, createCaller, first } from "./call.ts";
import { type Outcome, outcome } from "./outcome.ts";

/** An API key as its managers see it: what it may do, and never what it authenticates with. */
export type ApiKey = Omit<Database["public"]["Tables"]["api_keys"]["Row"], "allowed_cidrs"> & {
  allowed_cidrs: string[];
};

/** What a key may do, and from where. */
export interface KeyLimits {
  /** When it ends. ISO 8601. */
  expiresAt?: string;
  /** Only these workflows. */
  workflowIds?: string[];
  /** Only from these addresses, such as `203.0.113.0/24`. */
  allowedCidrs?: string[];
  /** Only from pages of these origins, such as `https://example.com`. */
  allowedOrigins?: string[];
}

export interface NewKey extends KeyLimits {
  name: string;
  /** Permissions, none beyond the caller's own. */
  scopes: string[];
  /** Default `live`. */
  environment?: "live" | "test";
}

/** API keys: the calls of one who is signed in and may manage them. Nothing here throws. */
export type KeysClient = ReturnType<typeof createKeysClient>;

export function createKeysClient(supabase: SupabaseClient<Database>) {
  const call = createCaller(supabase);

  return {
    /** The organization's keys, the newest first; nothing without `api_keys.read`. */
    list(organizationId: string, { signal }: CallOptions = {}): Promise<Outcome<ApiKey[], never>> {
      const query = supabase
        .from("api_keys")
        .select("*")
        .eq("organization_id", organizationId)
        .order("created_at", { ascending: false })
        .order("id");
      return outcome((signal ? query.abortSignal(signal) : query) as never, []);
    },

    /** Makes a key. `secret` is in the answer, and nowhere else, this once. */
    create: (
      applicationId: string,
      { name, scopes, environment, ...limits }: NewKey,
      options?: CallOptions,
    ) =>
      first(
        call(
          "create_api_key",
          {
            p_application_id: applicationId,
            p_name: name,
            p_scopes: scopes,
            ...(environment && { p_environment: environment }),
            ...limitArguments(limits),
          },
          [
            "application_not_found",
            "not_permitted",
            "scope_above_own",
            "invalid_expiry",
            "limit_reached",
            "invalid_api_key_name",
            "invalid_scopes",
            "invalid_cidrs",
            "invalid_origins",
            "too_many_cidrs",
            "too_many_workflows",
          ],
          options,
        ),
      ),

    /**
     * A new secret now, in the answer this once; the old one is good for `overlapSeconds` longer.
     *
     * @param overlapSeconds - Up to a week. Default a day; 0 ends the old secret at once.
     */
    rotate: (keyId: string, { overlapSeconds, ...options }: CallOptions & { overlapSeconds?: number } = {}) =>
      first(
        call(
          "rotate_api_key",
          {
            p_api_key_id: keyId,
            ...(overlapSeconds !== undefined && { p_overlap: `${overlapSeconds} seconds` }),
          },
          ["api_key_not_found", "api_key_revoked", "scope_above_own", "invalid_overlap"],
          options,
        ),
      ),

    /** Ends a key for good, from the next request on. */
    revoke: (keyId: string, options?: CallOptions) =>
      call("revoke_api_key", { p_api_key_id: keyId }, ["api_key_not_found", "api_key_revoked"], options),

    /**
     * Renames, narrows, or shortens: a key never gets to do more than before. What is left out stays as it is. Addresses
     * and origins are set by those who have all its scopes.
     */
    update: (
      keyId: string,
      { name, scopes, ...limits }: KeyLimits & { name?: string; scopes?: string[] },
      options?: CallOptions,
    ) =>
      call(
        "update_api_key",
        {
          p_api_key_id: keyId,
          ...(name !== undefined && { p_name: name }),
          ...(scopes && { p_scopes: scopes }),
          ...limitArguments(limits),
        },
        [
          "api_key_not_found",
          "api_key_revoked",
          "api_key_widened",
          "scope_above_own",
          "invalid_expiry",
          "invalid_api_key_name",
          "invalid_scopes",
          "invalid_cidrs",
          "invalid_origins",
          "too_many_cidrs",
          "too_many_workflows",
        ],
        options,
      ),

    /** The caller answers for a key from now on, in place of somebody who left. */
    adopt: (keyId: string, options?: CallOptions) =>
      call(
        "adopt_api_key",
        { p_api_key_id: keyId },
        ["api_key_not_found", "api_key_revoked", "scope_above_own"],
        options,
      ),
  };
}

const limitArguments = ({ expiresAt, workflowIds, allowedCidrs, allowedOrigins }: KeyLimits) => ({
  ...(expiresAt && { p_expires_at: expiresAt }),
  ...(workflowIds && { p_workflow_ids: workflowIds }),
  ...(allowedCidrs && { p_allowed_cidrs: allowedCidrs }),
  ...(allowedOrigins && { p_allowed_origins: allowedOrigins }),
});
