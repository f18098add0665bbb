// Checked by tsc, never run.
import { createNectarClient, type FunctionErrorCode, type FunctionsClient, NectarError } from "./index.ts";

const nectar = createNectarClient({ url: "http://127.0.0.1:54321", publishableKey: "sb_publishable_x" });

export async function routesAreTyped() {
  const { data, error, response } = await nectar.functions.GET("/health", { signal: AbortSignal.timeout(1) });

  if (error) {
    const nothing: null = data;
    const status: number = error.status;
    // @ts-expect-error: not one of the codes a function can answer with
    if (error.code === "slug_takn") return nothing;
    if (error.code === "invalid_api_key" || error.code === "network_error") return status;
    // @ts-expect-error: without an answer there is no response
    return response.headers;
  }

  const version: string = data.version;
  const headers: Headers = response.headers;
  // @ts-expect-error: optional in the answer
  const first: object = data.dependencies[0];
  // @ts-expect-error: not in the answer
  data.uptime;
  return { version, headers, first };
}

export async function pathsAndMethodsAreTyped() {
  // @ts-expect-error: no such path
  await nectar.functions.GET("/helth");
  // @ts-expect-error: the path does not take this method
  await nectar.functions.POST("/health");
  // @ts-expect-error: there is no such method
  await nectar.functions.TRACE("/health");
  // @ts-expect-error: the route takes no body
  await nectar.functions.GET("/health", { body: { a: 1 } });
}

/** What the generator writes for a route with a path parameter and a body. */
interface ExamplePaths {
  "/things/{id}": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    put: {
      parameters: { query?: { dry?: boolean }; header?: never; path: { id: string }; cookie?: never };
      requestBody: { content: { "application/json": { name: string } } };
      responses: {
        200: { headers: Record<string, unknown>; content: { "application/json": { revision: number } } };
        404: {
          headers: Record<string, unknown>;
          content: { "application/json": { error: { code: string } } };
        };
      };
    };
    get?: never;
  };
}

export async function inputsAreTyped(functions: FunctionsClient<ExamplePaths>) {
  const { data } = await functions.PUT("/things/{id}", {
    params: { path: { id: "1" }, query: { dry: true } },
    body: { name: "a" },
    headers: { "if-match": "3" },
  });
  const revision: number | undefined = data?.revision;
  // @ts-expect-error: the path parameter and the body are missing
  await functions.PUT("/things/{id}");
  // @ts-expect-error: the body is missing
  await functions.PUT("/things/{id}", { params: { path: { id: "1" } } });
  // @ts-expect-error: a name is text
  await functions.PUT("/things/{id}", { params: { path: { id: "1" } }, body: { name: 1 } });
  // @ts-expect-error: the path does not take this method
  await functions.GET("/things/{id}");
  return revision;
}

export function settingsAreTyped() {
  // @ts-expect-error: the key is missing
  createNectarClient({ url: "http://127.0.0.1:54321" });
  // @ts-expect-error: a misspelt option
  createNectarClient({ url: "", publishableKey: "", options: { fetcher: fetch } });
}

export function codesAreAClosedList(code: FunctionErrorCode) {
  const known: FunctionErrorCode = "payload_too_large";
  // @ts-expect-error: no such code
  const unknown: FunctionErrorCode = "teapot";
  return [known, unknown, code, new NectarError("any_code", "A sentence.")];
}

export async function organizationsAreTyped() {
  const { data, error } = await nectar.organizations.leave("id");
  if (error) {
    switch (error.code) {
      case "last_owner":
      case "member_not_found":
      case "invalid_id":
      case "missing_credentials":
      case "invalid_token":
      case "database_unavailable":
      case "network_error":
      case "aborted":
      case "unexpected_answer":
        return data satisfies null;
      default:
        return error.code satisfies never;
    }
  }
  const { data: members } = await nectar.organizations.members("id");
  const name: string | null | undefined = members?.[0]?.users.email;
  // @ts-expect-error: a role's key is asked for
  await nectar.organizations.changeRole("id", "user");
  // @ts-expect-error: there are two formats
  await nectar.organizations.exportAudit("id", { format: "xml" });
  const exported = await nectar.organizations.exportAudit("id");
  return [name, exported.data satisfies ReadableStream<Uint8Array> | null];
}
