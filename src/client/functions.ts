import createClient, { type FetchResponse, type MaybeOptionalInit } from "openapi-fetch";
import type { paths } from "../../types/functions.ts";
import { type FunctionError, fromAnswer, fromThrown } from "./errors.ts";

type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths that take a method. */
export type FunctionPath<Paths, M extends Method> = {
  [Path in keyof Paths]: Paths[Path] extends Record<M, { responses: unknown }> ? Path : never;
}[keyof Paths];

type Data<Operation, Init> =
  Operation extends Record<string | number, unknown>
    ? Extract<FetchResponse<Operation, Init, `${string}/${string}`>, { data: unknown }>["data"]
    : never;

/** The answer of a function, or why there is none: exactly one of `data` and `error` is there. */
export type FunctionResult<T> =
  | { data: T; error: null; response: Response }
  | { data: null; error: FunctionError; response: Response | null };

/** Calls a function's route. `init` takes `params`, `body`, `headers`, `signal`, as the route describes them. */
export type CallFunction<Paths, M extends Method> = <
  Path extends FunctionPath<Paths, M>,
  Init extends MaybeOptionalInit<Paths[Path], M & keyof Paths[Path]>,
>(
  path: Path,
  ...init: undefined extends Init ? [init?: Init] : [init: Init]
) => Promise<FunctionResult<Data<Paths[Path][M & keyof Paths[Path]], Init>>>;

/** Every route of every function, by method and path. Never throws. */
export interface FunctionsClient<Paths = paths> {
  GET: CallFunction<Paths, "get">;
  POST: CallFunction<Paths, "post">;
  PUT: CallFunction<Paths, "put">;
  PATCH: CallFunction<Paths, "patch">;
  DELETE: CallFunction<Paths, "delete">;
}

export interface FunctionsClientOptions {
  /** The project's URL. */
  url: string;
  /** Left out where an API key says enough. */
  publishableKey?: string;
  /** The access token of this moment; null when nobody is signed in. Asked before each request. */
  accessToken: () => Promise<string | null>;
  fetch?: typeof fetch | undefined;
}

export function createFunctionsClient(options: FunctionsClientOptions): FunctionsClient {
  const { url, publishableKey, accessToken } = options;
  const client = createClient<paths>({
    baseUrl: `${url.replace(/\/+$/, "")}/functions/v1`,
    // Looked up at each call, so that what replaces the global later (tracing, a test) is used.
    fetch: (request) => (options.fetch ?? globalThis.fetch)(request),
  });
  client.use({
    async onRequest({ request: { headers } }) {
      if (publishableKey && !headers.has("apikey")) headers.set("apikey", publishableKey);
      if (headers.has("authorization")) return;
      const token = await accessToken();
      if (token) headers.set("authorization", `Bearer ${token}`);
    },
  });

  async function call(
    method: Method,
    path: string,
    init?: { signal?: AbortSignal | null; parseAs?: string },
  ) {
    try {
      // The types are those of CallFunction; the generic client cannot see that they are the same.
      const { data, error, response } = await client.request(method as never, path as never, init as never);
      // An empty file comes as no body at all.
      const answer = data ?? (init?.parseAs === "stream" ? new Response("").body : data);
      const promised = answer !== undefined && answer !== null;
      if (response.ok && (promised || response.status === 204))
        return { data: answer, error: null, response };
      return { data: null, error: fromAnswer(error, response), response };
    } catch (thrown) {
      return { data: null, error: fromThrown(thrown, init?.signal), response: null };
    }
  }

  const caller = <M extends Method>(method: M) =>
    ((path: string, init?: object) => call(method, path, init)) as CallFunction<paths, M>;
  return {
    GET: caller("get"),
    POST: caller("post"),
    PUT: caller("put"),
    PATCH: caller("patch"),
    DELETE: caller("delete"),
  };
}
