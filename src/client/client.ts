import { createClient, type SupabaseClient, type SupabaseClientOptions } from "@supabase/supabase-js";
import type { Database } from "../../types/database.ts";
import { type ActivityClient, createActivityClient } from "./activity.ts";
import { type ArtifactsClient, createArtifactsClient } from "./artifacts.ts";
import { type BillingClient, createBillingClient } from "./billing.ts";
import { type ConnectionsClient, createConnectionsClient } from "./connections.ts";
import { createFunctionsClient, type FunctionsClient } from "./functions.ts";
import { createKeysClient, type KeysClient } from "./keys.ts";
import { createLimitsClient, type LimitsClient } from "./limits.ts";
import { createOrganizationsClient, type OrganizationsClient } from "./organizations.ts";
import { createSchemaClient, type SchemaClient } from "./schema.ts";
import { createUsageClient, type UsageClient } from "./usage.ts";
import { createWorkflowsClient, type WorkflowsClient } from "./workflows.ts";

export interface NectarClientOptions {
  /** Instead of the runtime's own: for tests, proxies and tracing. */
  fetch?: typeof fetch;
  /** How `supabase.auth` keeps and refreshes the session. */
  auth?: NonNullable<SupabaseClientOptions<"public">["auth"]>;
  /**
   * Where access tokens come from when `supabase.auth` is not to keep a session: a server that acts for its caller,
   * or sign-in by another system. `supabase.auth` then cannot be used.
   */
  accessToken?: () => Promise<string | null>;
}

export interface NectarClientSettings {
  /** The project's URL, such as `https://<ref>.supabase.co` or `http://127.0.0.1:54321`. */
  url: string;
  /** `sb_publishable_…`: safe in a browser. */
  publishableKey: string;
  options?: NectarClientOptions;
}

export interface NectarClient {
  /** The database under row security, and the session: supabase-js with this backend's types. */
  supabase: SupabaseClient<Database>;
  /** The edge functions, called as the person who is signed in. */
  functions: FunctionsClient;
  /** Organizations live: members, invitations, roles, ownership, closing, and the audit log. */
  organizations: OrganizationsClient;
  /** What is sold, the subscription, invoices, and what they entitle to. */
  billing: BillingClient;
  /** Customers' databases: added, tried, read. */
  connections: ConnectionsClient;
  /** Workflows: drafts, versions, and what is live. */
  workflows: WorkflowsClient;
  /** API keys: made, rotated, narrowed, revoked. */
  keys: KeysClient;
  /** What was used, over time. */
  usage: UsageClient;
  /** What may be used, and what is left of it. */
  limits: LimitsClient;
  /** Generated files: uploads, downloads, links. */
  artifacts: ArtifactsClient;
  /** What people, keys and servers did. */
  activity: ActivityClient;
  /** How connected databases look, and what people say of them. */
  schema: SchemaClient;
}

/**
 * Connects to a Nectar backend, from a browser, Node or Deno.
 *
 * @throws {TypeError} when `url` is not a URL, or the key is a secret one, which must not leave a server.
 *
 * @example
 * ```ts
 * const nectar = createNectarClient({ url: "http://127.0.0.1:54321", publishableKey: "sb_publishable_…" });
 *
 * await nectar.supabase.auth.signInWithPassword({ email: "ada@example.com", password: "correct horse" });
 * const { data: organizations } = await nectar.supabase.from("organizations").select("id, name");
 *
 * const { data, error } = await nectar.functions.GET("/health", { signal: AbortSignal.timeout(5000) });
 * if (error) console.error(error.code, error.requestId);
 * else console.log(data.version);
 * ```
 */
export function createNectarClient({
  url,
  publishableKey,
  options = {},
}: NectarClientSettings): NectarClient {
  if (!URL.canParse(url))
    throw new TypeError("url is not a URL. Use the project's, such as http://127.0.0.1:54321.");
  if (publishableKey.startsWith("sb_secret_")) {
    throw new TypeError(
      "publishableKey is a secret key. Use sb_publishable_…, and replace the secret key if it was published.",
    );
  }

  const { auth, accessToken, fetch } = options;
  const supabase = createClient<Database>(url, publishableKey, {
    ...(auth && { auth }),
    ...(accessToken && { accessToken }),
    global: { fetch: abortingByName(fetch) },
  });
  const sessionToken = async () => (await supabase.auth.getSession()).data.session?.access_token ?? null;

  const functions = createFunctionsClient({
    url,
    publishableKey,
    accessToken: accessToken ?? sessionToken,
    fetch,
  });

  return {
    supabase,
    functions,
    organizations: createOrganizationsClient(supabase, functions),
    billing: createBillingClient(supabase, functions),
    connections: createConnectionsClient(functions),
    workflows: createWorkflowsClient(functions),
    keys: createKeysClient(supabase),
    usage: createUsageClient(supabase),
    limits: createLimitsClient(supabase),
    artifacts: createArtifactsClient(functions),
    activity: createActivityClient(functions),
    schema: createSchemaClient(functions),
  };
}

/** supabase-js knows an abort by its name alone: with another reason it would try again, and call the backend unreachable. */
function abortingByName(given?: typeof fetch): typeof fetch {
  return async (input, init) => {
    try {
      return await (given ?? globalThis.fetch)(input, init);
    } catch (thrown) {
      throw init?.signal?.aborted ? new DOMException(String(init.signal.reason), "AbortError") : thrown;
    }
  };
}
