import { z } from "@hono/zod-openapi";
import { parseHost } from "../_shared/address-guard.ts";
import { engineNames, tlsModes } from "./engine.ts";
import { type FailureCode, failureMessages, type TlsReason, tlsReasons } from "./failures.ts";
import { uuid } from "../_shared/validation.ts";

const keysOf = <Key extends string>(record: Record<Key, unknown>) => Object.keys(record) as [Key, ...Key[]];

/** Text that every protocol and store takes as it is: no control characters, no halves of characters. */
const text = (most: number) =>
  z.string().min(1).max(most).refine(
    (value) => value.isWellFormed() && !/\p{Cc}/u.test(value),
    "no control characters",
  );

const host = z.string().max(253).transform((value, context) => {
  const parsed = parseHost(value);
  if (parsed) return parsed.text;
  context.addIssue(
    "a host is a name such as db.example.com, without a port, brackets or a final dot, or an IP address; other " +
      "letters than a-z are written as xn--",
  );
  return z.NEVER;
}).openapi({ type: "string", example: "db.example.com" });

const port = z.number().int().min(1).max(65535).nullable().openapi({
  description: "null: the engine's own, or that of the named instance.",
});
const database = text(128).openapi({ example: "shop" });
const username = text(128);
const password = text(1024).openapi({ description: "Never shown again." });
const tlsMode = z.enum(tlsModes).openapi({
  description:
    "`verify-full`: encrypted, the certificate signed by a known authority and for this host. `verify-ca`: " +
    "signed by `ca_certificate`, for any host. `strict`: as `verify-full`, with TLS before anything else (SQL Server, TDS 8). " +
    "`require` (certificate not checked), `disable` (not encrypted) and `verify-ca` without `ca_certificate`: only where " +
    "the operator allows them.",
});
const onlyCertificates = "one or more certificates as PEM, and nothing else";
const caCertificate = z.string().max(32_768).regex(
  /^[ \t\r\n]*(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/= \t\r\n]+-----END CERTIFICATE-----[ \t\r\n]*)+$/,
  onlyCertificates,
).refine((pem) => !pem.includes("PRIVATE KEY"), onlyCertificates).nullable();
const options = z.record(z.string().max(64), z.unknown()).openapi({
  description: 'The engine\'s own, such as `{"instance": "SQLEXPRESS"}` for a named instance of SQL Server.',
});

const described = {
  name: text(100),
  engine: z.enum(engineNames),
  host,
  port: port.default(null),
  database_name: database,
  username,
  password,
  tls_mode: tlsMode.default("verify-full"),
  ca_certificate: caCertificate.default(null),
  options: options.default({}),
};

export const connectionInput = z.strictObject({
  organization_id: uuid,
  application_id: uuid.nullable().default(null),
  ...described,
}).openapi("ConnectionInput");

export const connectionChanges = z.strictObject({
  revision: z.int().min(1).max(2_147_483_647).optional().openapi({
    description: "The one that the change was made to. If it is not the current one, nothing is changed.",
  }),
  application_id: uuid.nullable().optional(),
  name: text(100).optional(),
  host: host.optional(),
  port: port.optional(),
  database_name: database.optional(),
  username: username.optional(),
  password: password.optional().openapi({
    description:
      "Needed when it is to be sent elsewhere: with another host, port, username, TLS mode, CA or option.",
  }),
  tls_mode: tlsMode.optional(),
  ca_certificate: caCertificate.optional(),
  options: options.optional(),
}).openapi("ConnectionChanges");

const { name: _name, ...target } = described;
export const testInput = z.strictObject({ organization_id: uuid, ...target }).openapi(
  "ConnectionTestInput",
);

const milliseconds = z.number().nonnegative();
const phase = milliseconds.nullable().openapi({ description: "Milliseconds; null: it did not happen." });

const tlsFacts = z.object({
  version: z.string().nullable(),
  cipher: z.string().nullable(),
  certificate: z.object({
    subject: z.string(),
    issuer: z.string(),
    names: z.array(z.string()),
    valid_from: z.string(),
    valid_to: z.string(),
    fingerprint: z.string(),
    self_signed: z.boolean(),
  }).nullable(),
}).openapi("ConnectionTls");

const server = z.object({
  product: z.string().openapi({ example: "Microsoft SQL Server" }),
  version: z.string(),
  edition: z.string().nullable(),
}).openapi("ConnectionServer");

const success = z.object({
  ok: z.literal(true),
  server,
  tls: tlsFacts.nullable().openapi({ description: "null: not encrypted." }),
  latency_ms: z.object({
    dns: phase,
    tcp: phase,
    tls: phase,
    login: phase,
    query: phase,
    total: milliseconds,
  }),
}).openapi("ConnectionTestSuccess");

export const failure = z.object({
  ok: z.literal(false),
  code: z.enum(keysOf<FailureCode>(failureMessages)),
  reason: z.enum(keysOf<TlsReason>(tlsReasons)).optional().openapi({ description: "Of `tls_failed`." }),
  message: z.string().openapi({ description: "What to do about it." }),
  facts: z.object({
    version: z.string().nullable(),
    encryption: z.enum(["off", "on", "not_supported", "required"]).nullable(),
  }).optional().openapi({ description: "What the server told before it failed." }),
}).openapi("ConnectionTestFailure");

export const testResult = z.union([success, failure]).openapi("ConnectionTestResult");
export type TestResult = z.infer<typeof testResult>;
export type TestFailure = z.infer<typeof failure>;

export const connection = z.object({
  // Made straight in the database it has whatever id its maker gave it.
  id: uuid,
  organization_id: uuid,
  application_id: uuid.nullable(),
  name: z.string(),
  engine: z.enum(engineNames),
  host: z.string(),
  port: z.number().nullable(),
  database_name: z.string(),
  username: z.string(),
  tls_mode: tlsMode,
  ca_certificate: z.string().nullable(),
  options: z.record(z.string(), z.unknown()),
  revision: z.number().int(),
  last_test: testResult.nullable(),
  last_tested_at: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
}).openapi("Connection");
export type Connection = z.infer<typeof connection>;

const introspected = z.object({
  ok: z.literal(true),
  server,
  database: z.string(),
  content_hash: z.string().openapi({ description: "The same for the same schema." }),
  schemas: z.number().int(),
  tables: z.number().int(),
  views: z.number().int(),
  columns: z.number().int(),
  truncated: z.boolean().openapi({ description: "True when it is larger than what is read." }),
  snapshot_id: z.string().nullable().openapi({ description: "null: this backend keeps no snapshots." }),
  changes: z.number().int().nullable().openapi({ description: "Since the snapshot before." }),
}).openapi("SchemaSummary");
export const introspectionResult = z.union([introspected, failure]).openapi(
  "IntrospectionResult",
);
export type IntrospectionResult = z.infer<typeof introspectionResult>;

export const rotationInput = z.strictObject({
  after: uuid.optional().openapi({ description: "`next` of the call before." }),
  limit: z.number().int().min(1).max(1000).default(100),
}).openapi("KeyRotationInput");

export const rotation = z.object({
  master_key: z.string().openapi({ description: "The current one: the first of CONNECTIONS_MASTER_KEYS." }),
  rewrapped: z.number().int(),
  unreadable: z.number().int().openapi({ description: "Under a key that this backend does not have." }),
  next: uuid.nullable().openapi({
    description: "Call again with it as `after`; null: that was the last.",
  }),
}).openapi("KeyRotation");
