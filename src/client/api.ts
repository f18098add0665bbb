import type { paths } from "../../types/functions.ts";
import { createFunctionsClient, type FunctionsClient } from "./functions.ts";

type ApiPaths = Pick<paths, Extract<keyof paths, `/api/${string}`>>;

export interface ApiClientOptions {
  /** The project's URL, such as `https://<ref>.supabase.co`. */
  url: string;
  /** `nk_live_…` or `nk_test_…`. It is a secret: for servers. */
  apiKey: string;
  /** Instead of the runtime's own. */
  fetch?: typeof fetch;
}

/** @throws {TypeError} for what a variable that is not set, or another kind of key, would be. */
export function checkApiKey(apiKey: string): void {
  if (!/^nk_(live|test)_\w+$/.test(apiKey))
    throw new TypeError("apiKey is not an API key: nk_live_… or nk_test_….");
}

/** What an API key may call, by method and path. Never throws. */
export type ApiClient = FunctionsClient<ApiPaths>;

/**
 * Calls the data plane from your own servers, with an API key.
 *
 * @throws {TypeError} when `url` is not a URL, or the key is none of ours.
 *
 * @example
 * ```ts
 * const api = createApiClient({ url: "https://<ref>.supabase.co", apiKey: process.env.NECTAR_API_KEY! });
 * const { data, error, response } = await api.GET("/api/ping");
 * if (error?.code === "rate_limited") await sleep(Number(response?.headers.get("retry-after")) * 1000);
 * ```
 */
export function createApiClient({ url, apiKey, fetch }: ApiClientOptions): ApiClient {
  if (!URL.canParse(url)) throw new TypeError("url is not a URL. Use the project's.");
  checkApiKey(apiKey);
  const functions = createFunctionsClient({ url, accessToken: async () => apiKey, fetch });
  // The same calls, of fewer paths: the compiler does not follow that far.
  return functions as unknown as ApiClient;
}
