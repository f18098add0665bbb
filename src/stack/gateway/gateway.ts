import http from "node:http";
import type { AddressInfo } from "node:net";
import { type ProjectKeys, publicJwks } from "../keys.ts";
import type { LoginRole } from "../postgres/server.ts";
import { readCredentials } from "./api-keys.ts";
import { type AuthSettings, type Mail, startAuth } from "./auth.ts";
import { allowAnyOrigin, preflight } from "./cors.ts";
import { type FunctionHost, forwardToFunctions } from "./functions-proxy.ts";
import { bodyOf, requestOf, send, TooLarge } from "./node-http.ts";
import { json } from "./replies.ts";
import { startRest } from "./rest.ts";
import { tokenKeys } from "./tokens.ts";

export type { AuthSettings, Mail } from "./auth.ts";
export type { FunctionHost } from "./functions-proxy.ts";

export interface GatewayOptions {
  /** TCP port on 127.0.0.1; 0 takes a free one. */
  port: number;
  databaseUrl(role: LoginRole): string;
  keys: ProjectKeys;
  /** Serves `/functions/v1/*`; without it every function is unknown. */
  functions?: FunctionHost | undefined;
  auth: AuthSettings;
  /** `[api]` of config.toml. */
  api?: { schemas?: string[]; maxRows?: number };
  /** Called with every mail that Auth would send, once what it speaks of is stored. */
  onMail?: ((mail: Mail) => void) | undefined;
}

export interface Gateway {
  /** What clients take as SUPABASE_URL. */
  readonly url: string;
  readonly port: number;
  /** Ends all sockets and database connections. */
  close(): Promise<void>;
}

/**
 * Starts the local project's HTTP gateway: `/rest/v1`, `/auth/v1` and `/functions/v1` as the platform serves them.
 *
 * @throws StackFailure when the token hook cannot be called; an Error with `code` when the port cannot be had.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  let serve: http.RequestListener = (_incoming, outgoing) => outgoing.writeHead(503).end();
  const server = http.createServer((incoming, outgoing) => serve(incoming, outgoing));
  await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const services: { close(): Promise<void> }[] = [];
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await Promise.all([closed, ...services.map((service) => service.close())]);
  };
  try {
    const tokens = await tokenKeys(options.keys, `${url}/auth/v1`);
    const { databaseUrl, auth: settings, onMail = () => {} } = options;
    const [rest, auth] = await settle(
      startRest({
        databaseUrl,
        tokens,
        schemas: options.api?.schemas ?? ["public"],
        maxRows: options.api?.maxRows ?? 1000,
      }),
      startAuth({ databaseUrl, tokens, url, settings, internalSecret: options.keys.internalSecret, onMail }),
    );
    services.push(rest, auth);
    const route = async (request: Request, target: URL, body: Uint8Array): Promise<Response> => {
      const path = target.pathname;
      if (path === "/auth/v1/.well-known/jwks.json") {
        return json(200, publicJwks(options.keys), { "cache-control": "public, max-age=600" });
      }
      if (path === "/auth/v1/.well-known/openid-configuration") {
        return json(200, { issuer: `${url}/auth/v1`, jwks_uri: `${url}/auth/v1/.well-known/jwks.json` });
      }
      const absent = /^\/(storage|realtime|graphql)\/v1(?=\/|$)/.exec(path)?.[1];
      if (absent) {
        const name = absent[0]?.toUpperCase() + absent.slice(1);
        return json(501, { code: "not_in_local_stack", message: `${name} is not part of the local stack.` });
      }
      const service = /^\/(rest|auth)\/v1(?=\/|$)/.exec(path)?.[1];
      if (!service) return json(404, { error: "requested path is invalid" });
      if (service === "auth" && OPEN_AUTH_PATHS.test(path))
        return auth.handle(request, target, body, undefined);
      const credentials = readCredentials(request, target, options.keys);
      if (credentials instanceof Response) return credentials;
      return (service === "rest" ? rest : auth).handle(request, target, body, credentials);
    };

    const answer = async (incoming: http.IncomingMessage, outgoing: http.ServerResponse): Promise<void> => {
      let response: Response;
      try {
        const request = requestOf(incoming, url);
        response = request
          ? (preflight(request) ?? (await route(request, new URL(request.url), await bodyOf(incoming))))
          : json(400, { message: "Bad Request" });
      } catch (error) {
        if (outgoing.destroyed) return; // the client has gone in the middle of its request
        if (error instanceof TooLarge) response = json(413, { message: "Request body too large" });
        else {
          console.error(error);
          response = json(500, { message: "An unexpected error occurred" });
        }
      }
      const headers = new Headers(response.headers);
      allowAnyOrigin(headers);
      await send(outgoing, response, headers, incoming.method === "HEAD");
    };
    serve = (incoming, outgoing) => {
      if (/^\/functions\/v1(?=[/?]|$)/.test(incoming.url ?? "")) {
        return forwardToFunctions(incoming, outgoing, options.functions);
      }
      void answer(incoming, outgoing);
    };
  } catch (error) {
    await close();
    throw error;
  }
  return { url, port, close };
}

// What a browser opens from a mail, or anyone may read.
const OPEN_AUTH_PATHS = /^\/auth\/v1\/(verify|callback|authorize|\.well-known\/.*)$/;

function listen(server: http.Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Both, or neither: what had started is closed when the other fails. */
async function settle<A extends { close(): Promise<void> }, B extends { close(): Promise<void> }>(
  first: Promise<A>,
  second: Promise<B>,
): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === "fulfilled" && b.status === "fulfilled") return [a.value, b.value];
  if (a.status === "fulfilled") await a.value.close();
  if (b.status === "fulfilled") await b.value.close();
  throw a.status === "rejected" ? a.reason : (b as PromiseRejectedResult).reason;
}
