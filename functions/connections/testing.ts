import { z } from "@hono/zod-openapi";
import { AppError } from "../_shared/errors.ts";
import type { WrappedKey } from "../_shared/secret-box.ts";
import type { Backend, NewSecret, StoredConnection } from "./backend.ts";
import { type Engine, type SchemaSnapshot, tlsModes } from "./engine.ts";
import { ConnectionFailure } from "./failures.ts";
import type { Target } from "./tester.ts";

/** Appears in no answer, log line or error. */
export const canary = "canary-Passw0rd-7f3a";

export const target: Target = {
  engine: "postgres",
  host: "db.example.com",
  port: 5432,
  database_name: "shop",
  username: "reader",
  password: canary,
  tls_mode: "verify-full",
  ca_certificate: null,
  options: {},
};

export const fakeSnapshot: SchemaSnapshot = {
  format: "nectar.schema/1",
  engine: "postgres",
  server: { product: "PostgreSQL", version: "17.0", edition: null },
  database: "shop",
  schemas: ["public"],
  tables: [{
    schema: "public",
    name: "orders",
    kind: "table",
    comment: null,
    rows: 3,
    columns: [{ name: "id", type: "uuid", nullable: false, default: null, comment: null, generated: false }],
    primary_key: ["id"],
    foreign_keys: [],
    indexes: [],
  }],
  truncated: false,
  content_hash: "0".repeat(64),
};

/** An engine that connects, as far as the line goes, and finds what it is told. */
export function fakeEngine(changes: Partial<Engine> = {}): Engine {
  return {
    name: "postgres",
    title: "PostgreSQL",
    defaultPort: 5432,
    tlsModes: tlsModes.filter((mode) => mode !== "strict"),
    options: z.strictObject({ instance: z.string().max(30).optional() }),
    async test({ dial }) {
      await dial();
      throw new ConnectionFailure("login_failed");
    },
    async introspect({ dial }) {
      await dial();
      throw new ConnectionFailure("permission_denied");
    },
    ...changes,
  };
}

/** The database in memory: no permissions, but the rules that the function relies on. */
export function memoryBackend(): Backend & { rows: Map<string, StoredConnection>; results: object[] } {
  const rows = new Map<string, StoredConnection>();
  const secrets = new Map<string, NewSecret>();
  const dataKeys = new Map<string, WrappedKey>();
  const results: object[] = [];
  const get = (id: string) => {
    const found = rows.get(id);
    if (!found) throw new AppError("connection_not_found");
    return found;
  };
  return {
    rows,
    results,
    requireManager: () => Promise.resolve(),
    list: (organizationId) =>
      Promise.resolve([...rows.values()].filter((row) => row.organization_id === organizationId)),
    get: (id) => Promise.resolve().then(() => get(id)),
    create(organization_id, id, details, secret) {
      const now = "2026-11-30T10:00:00+00:00";
      const row = {
        id,
        organization_id,
        ...details,
        revision: 1,
        secret_version: 1,
        last_test: null,
        last_tested_at: null,
        created_at: now,
        updated_at: now,
      } as StoredConnection;
      rows.set(id, row);
      secrets.set(id, secret);
      return Promise.resolve(row);
    },
    update: (id, revision, details, secret) =>
      Promise.resolve().then(() => {
        const before = get(id);
        if (before.revision !== revision) throw new AppError("connection_changed");
        if ("host" in details && !secret) throw new AppError("password_required");
        const row = { ...before, ...details, revision: revision + 1 };
        if (secret) {
          row.secret_version++;
          secrets.set(id, secret);
        }
        rows.set(id, row);
        return row;
      }),
    remove: (id) => Promise.resolve().then(() => void rows.delete(get(id).id)),
    takeTest: () => Promise.resolve(),
    dataKey: (organizationId) => Promise.resolve(dataKeys.get(organizationId)),
    addDataKey(key) {
      if (!dataKeys.has(key.organizationId)) dataKeys.set(key.organizationId, key);
      return Promise.resolve(dataKeys.get(key.organizationId) ?? key);
    },
    secret({ id, organization_id, secret_version }) {
      const key = dataKeys.get(organization_id);
      const sealed = secrets.get(id);
      if (!key || !sealed) return Promise.reject(new AppError("connection_not_found"));
      return Promise.resolve({ key, version: secret_version, sealed });
    },
    recordTest: (_, result) => Promise.resolve(void results.push(result)),
  };
}
