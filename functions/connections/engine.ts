import type { Socket } from "node:net";
import type { z } from "@hono/zod-openapi";
import type { SchemaSnapshot } from "../_shared/schema-snapshot.ts";

export type { SchemaSnapshot } from "../_shared/schema-snapshot.ts";

export const engineNames = ["mssql", "postgres", "mysql"] as const;
export type EngineName = (typeof engineNames)[number];

/**
 * How the connection is encrypted. `disable`: not at all. `require`: encrypted, certificate not checked.
 * `verify-ca`: signed by a known authority. `verify-full`: that, and for this host name. `strict`: as `verify-full`, and
 * TLS comes before anything else (TDS 8, SQL Server only).
 */
export const tlsModes = ["disable", "require", "verify-ca", "verify-full", "strict"] as const;
export type TlsMode = (typeof tlsModes)[number];

/** What an engine needs to reach one database. It never resolves a name or dials by itself. */
export interface ConnectionRequest {
  /** The name for TLS (SNI, certificate) and for the protocol, in lower case: never to be resolved. May be an IP address. */
  host: string;
  port: number;
  database: string;
  username: string;
  password: string;
  tls: {
    mode: TlsMode;
    /** PEM, instead of the runtime's own authorities. */
    ca: string | undefined;
  };
  /** As the engine's own schema parsed them. */
  options: Record<string, unknown>;
  /**
   * A fresh TCP connection to the checked and pinned address. Rejects with a ConnectionFailure, which the runner remembers:
   * a driver may swallow it. The runner destroys every socket it gave when the test ends, however it ends.
   *
   * @param redirect - Where the server sends its client instead (TDS routing): resolved and checked anew, by the same guard.
   */
  dial: (redirect?: { host: string; port: number }) => Promise<Socket>;
  /** Most bytes that the server may send: whoever sends more is no database that was asked so little. */
  mostBytes: number;
  /** Aborts when the time for the whole call is up. */
  signal: AbortSignal;
  /** Milliseconds until then, for drivers that want numbers. At least 1. */
  timeLeft: () => number;
  /** Monotonic milliseconds. */
  clock: () => number;
  runtime: {
    /** Whether TLS can be started inside another protocol's packets (Deno from 2.5, Node). */
    tlsInsideTds: boolean;
  };
}

/** Milliseconds; a phase that did not happen is null. The runner measures dns and tcp itself. */
export interface EnginePhases {
  tls: number | null;
  login: number | null;
  query: number | null;
}

export interface TlsFacts {
  /** Such as `TLSv1.3`; null where the runtime does not tell. */
  version: string | null;
  cipher: string | null;
  certificate: {
    subject: string;
    issuer: string;
    /** Names it is for, at most 20. */
    names: string[];
    /** ISO 8601. */
    valid_from: string;
    valid_to: string;
    /** SHA-256, hexadecimal in lower case, without colons. */
    fingerprint: string;
    self_signed: boolean;
  } | null;
}

export interface ServerFacts {
  /** What people call it: `Microsoft SQL Server`, `PostgreSQL`, `MySQL`, `MariaDB`. */
  product: string;
  /** Digits and dots first; at most 100 characters, printable. */
  version: string;
  edition: string | null;
}

export interface TestSuccess {
  server: ServerFacts;
  /** Null when the connection is not encrypted. */
  tls: TlsFacts | null;
  phases: EnginePhases;
}

/** What a probe could learn before a failure: shown beside `runtime_unsupported` and `tls_*`. */
export interface ProbeFacts {
  version: string | null;
  /** What the server says of encryption before the login. */
  encryption: "off" | "on" | "not_supported" | "required" | null;
}

export interface IntrospectionLimits {
  tables: number;
  columns: number;
  /** Most bytes of the snapshot as JSON. */
  bytes: number;
}

/** One kind of database: one file in engines/, and its tests. */
export interface Engine {
  name: EngineName;
  /** What people call it. */
  title: string;
  /** Used where the caller gives no port. */
  defaultPort: number;
  /** Modes that it can do. */
  tlsModes: readonly TlsMode[];
  /** Strict, closed and bounded: no option may change where the connection goes or read a file. */
  options: z.ZodObject;
  /**
   * The port of a named instance, asked of the checked address by UDP 1434; undefined when nobody answers.
   * Only where `options` asks for one.
   */
  findPort?: (request: {
    address: string;
    options: Record<string, unknown>;
    signal: AbortSignal;
  }) => Promise<number | undefined>;
  /** Connects, logs in and asks for the version. Throws a ConnectionFailure; closes what it opened. */
  test: (request: ConnectionRequest) => Promise<TestSuccess>;
  /** Reads the catalogue, within the limits, in read-only fashion. Throws a ConnectionFailure. */
  introspect: (request: ConnectionRequest, limits: IntrospectionLimits) => Promise<SchemaSnapshot>;
}
