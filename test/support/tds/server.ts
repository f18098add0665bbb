import { createServer, type Socket } from "node:net";
import { type Identity, makeCertificate } from "../certificates.ts";
import type { Login } from "./login7.ts";
import { type Encryption, encryption } from "./prelogin.ts";
import { serveSession } from "./session.ts";
import type { Rowset, ServerError } from "./tokens.ts";

/** Where the server can be made to fail. `reset` is a TCP reset, `silent` no answer at all. */
export type Fault =
  | "silent"
  | "reset_on_connect"
  | "reset_on_prelogin"
  | "reset_in_tls"
  | "reset_on_hello"
  | "silent_in_tls"
  | "reset_on_login"
  | "silent_on_login"
  | "reset_on_query"
  | "silent_on_query"
  | "endless_errors"
  | "begins_transaction"
  | "garbage"
  | "endless_prelogin";

export interface TdsServerOptions {
  /** Passwords by user. Default: sa with Passw0rd! */
  users?: Record<string, string>;
  /** Default: master and shop. */
  databases?: string[];
  /** What the server says of encryption before the login. Default on. */
  encryption?: Encryption;
  /** Also speaks TDS 8 (TLS first). Default true. */
  strict?: boolean;
  /** Default: made for localhost, 127.0.0.1 and db.test, signed by the answer's `ca`. */
  identity?: Identity;
  /** Errors of every login, before its password is looked at. */
  loginErrors?: ServerError[];
  /** Sends the client on after its login. */
  routing?: { host: string; port: number };
  /** What the client is told to cut its messages into. Default 4,096. */
  packetSize?: number;
  delays?: Partial<Record<"prelogin" | "login" | "query", number>>;
  fault?: Fault;
  /** How long the server waits before it closes after a failed login. Default 0: FIN together with the error. */
  closeDelay?: number;
  /** Answers by the first pattern that a statement matches; error 102 for a statement that matches none. */
  answers?: [RegExp, Rowset | { error: ServerError }][];
  /** Default 127.0.0.1. */
  host?: string;
}

/** One accepted login attempt, as the server saw it. */
export interface SeenLogin extends Login {
  /** Such as TLSv1.2; null where the login came in clear. */
  tls: string | null;
}

export interface TdsServer {
  port: number;
  /** PEM of the authority behind the default identity. */
  ca: string;
  logins: SeenLogin[];
  statements: string[];
  /** Connections accepted so far. */
  connections: () => number;
  /** Settles when no client is connected any more. */
  idle: () => Promise<void>;
  close: () => Promise<void>;
}

const authority = makeCertificate({ subject: "Nectar test authority", authority: true });
const defaultIdentity = makeCertificate({
  subject: "db.test",
  names: ["localhost", "127.0.0.1", "db.test"],
  issuer: authority,
});

/** The authority behind the default identity, to sign others with. */
export const testAuthority = authority;

/** Starts a server that speaks TDS 7.4 and TDS 8 as SQL Server does, as far as a connection test goes. Node only. */
export async function startTdsServer(options: TdsServerOptions = {}): Promise<TdsServer> {
  const settings = {
    users: { sa: "Passw0rd!" },
    databases: ["master", "shop"],
    encryption: "on" as const,
    strict: true,
    identity: defaultIdentity,
    ...options,
  };
  const sockets = new Set<Socket>();
  const logins: SeenLogin[] = [];
  const statements: string[] = [];
  let connections = 0;
  let whenIdle: (() => void)[] = [];

  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size > 0) return;
      for (const settle of whenIdle) settle();
      whenIdle = [];
    });
    if (settings.fault === "reset_on_connect") socket.resetAndDestroy();
    else serveSession(socket, settings, { logins, statements });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, options.host ?? "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");

  return {
    port: address.port,
    ca: authority.cert,
    logins,
    statements,
    connections: () => connections,
    idle: () =>
      sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => whenIdle.push(() => resolve())),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export { encryption };
