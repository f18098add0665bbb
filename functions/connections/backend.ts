import type { SupabaseContext } from "@supabase/server";
import type { Database, Json } from "../../types/database.ts";
import { databaseError, dataOf } from "../_shared/database-errors.ts";
import { AppError } from "../_shared/errors.ts";
import type { Sealed, WrappedKey } from "../_shared/secret-box.ts";
import type { Connection } from "./schemas.ts";

/** A connection as the database keeps it. */
export interface StoredConnection extends Connection {
  secret_version: number;
}

/** A password as it is kept, and the key that it is kept under. */
export interface StoredSecret {
  key: WrappedKey;
  version: number;
  sealed: Sealed;
}

/** A password that is ready to be kept. */
export interface NewSecret extends Sealed {
  dataKeyId: string;
  version: number;
}

/**
 * The database. What a person may do, row security and its functions decide, as that person; the admin's client reads
 * keys and ciphertexts, and notes how a test went. Every call throws an AppError.
 */
export interface Backend {
  requireManager(organizationId: string): Promise<void>;
  list(organizationId: string): Promise<StoredConnection[]>;
  get(id: string): Promise<StoredConnection>;
  create(
    organizationId: string,
    id: string,
    details: Record<string, unknown>,
    secret: NewSecret,
  ): Promise<StoredConnection>;
  update(
    id: string,
    revision: number,
    details: Record<string, unknown>,
    secret: NewSecret | undefined,
  ): Promise<StoredConnection>;
  remove(id: string): Promise<void>;
  /** Counts a test against the limits. */
  takeTest(organizationId: string): Promise<void>;
  dataKey(organizationId: string): Promise<WrappedKey | undefined>;
  /** The organization's key from now on: this one, unless another was first. */
  addDataKey(key: WrappedKey): Promise<WrappedKey>;
  secret(connection: StoredConnection): Promise<StoredSecret>;
  recordTest(connection: StoredConnection, result: object): Promise<void>;
}

/** The keys' rotation, for servers. */
export interface KeyRing {
  toRewrap(masterKeyId: string, after: string | undefined, limit: number): Promise<WrappedKey[]>;
  /** How many were still as they had been read. */
  rewrapped(keys: WrappedKey[]): Promise<number>;
}

type Context = SupabaseContext<Database>;
type Rpcs = Database["public"]["Functions"];

export function createBackend(
  { supabase, supabaseAdmin, userClaims }: Context,
  requestId: string,
): Backend {
  const tagged = <T extends { setHeader(name: string, value: string): T }>(request: T) =>
    request.setHeader("x-request-id", requestId);
  const asAdmin = <T extends { setHeader(name: string, value: string): T }>(request: T) =>
    tagged(request).setHeader("x-on-behalf-of", userClaims?.id ?? "");

  return {
    async requireManager(organizationId) {
      const args = { p_organization_id: organizationId, p_permission: "connections.manage" };
      if (!dataOf(await tagged(supabase.rpc("has_permission", args)))) throw new AppError("not_permitted");
    },
    async list(organizationId) {
      const query = supabase.from("database_connections").select().eq("organization_id", organizationId);
      return dataOf(await tagged(query.order("name").limit(1000))) as unknown as StoredConnection[];
    },
    async get(id) {
      const query = supabase.from("database_connections").select().eq("id", id).maybeSingle();
      const found = dataOf(await tagged(query));
      if (!found) throw new AppError("connection_not_found");
      return found as unknown as StoredConnection;
    },
    async create(organizationId, id, details, secret) {
      const created = await tagged(supabase.rpc("create_connection", {
        p_organization_id: organizationId,
        p_connection_id: id,
        p_details: details as Json,
        p_secret: secretRow(secret),
      }));
      return dataOf(created) as unknown as StoredConnection;
    },
    async update(id, revision, details, secret) {
      const updated = await tagged(supabase.rpc("update_connection", {
        p_connection_id: id,
        p_revision: revision,
        p_details: details as Json,
        ...(secret && { p_secret: secretRow(secret) }),
      }));
      return dataOf(updated) as unknown as StoredConnection;
    },
    async remove(id) {
      const gone = dataOf(
        await tagged(supabase.from("database_connections").delete().eq("id", id).select("id")),
      );
      if (gone.length === 0) throw new AppError("connection_not_found");
    },
    async takeTest(organizationId) {
      const taken = await tagged(
        supabase.rpc("take_connection_test", { p_organization_id: organizationId }),
      );
      if (taken.error?.hint === "too_many_tests") {
        const seconds = Number(taken.error.details) || 60;
        throw new AppError("too_many_tests", {
          message: taken.error.message,
          details: { retry_after_seconds: seconds },
          headers: { "retry-after": String(seconds) },
        });
      }
      if (taken.error) throw databaseError(taken);
    },
    async dataKey(organizationId) {
      const args = { p_organization_id: organizationId };
      const [row] = dataOf(await asAdmin(supabaseAdmin.rpc("read_data_key", args)));
      return row && wrappedKey({ ...row, organization_id: organizationId });
    },
    async addDataKey(key) {
      const [row] = dataOf(
        await asAdmin(supabaseAdmin.rpc("add_data_key", {
          p_organization_id: key.organizationId,
          p_id: key.id,
          p_master_key_id: key.masterKeyId,
          p_wrapped: key.ciphertext,
          p_nonce: key.nonce,
        })),
      );
      if (!row) throw new AppError("internal");
      return wrappedKey({ ...row, organization_id: key.organizationId });
    },
    async secret({ id, organization_id, secret_version }) {
      const [row] = dataOf(
        await asAdmin(supabaseAdmin.rpc("read_connection_secret", { p_connection_id: id })),
      );
      if (!row) throw new AppError("connection_not_found");
      // A password that was changed with the host a moment ago is not for the host before.
      if (row.version !== secret_version) throw new AppError("connection_changed");
      return {
        key: {
          organizationId: organization_id,
          id: row.data_key_id,
          masterKeyId: row.master_key_id,
          version: row.data_key_version,
          ciphertext: row.wrapped,
          nonce: row.data_key_nonce,
        },
        version: row.version,
        sealed: { ciphertext: row.ciphertext, nonce: row.nonce },
      };
    },
    async recordTest({ id, revision }, result) {
      const args = { p_connection_id: id, p_revision: revision, p_result: result as unknown as Json };
      dataOf(await asAdmin(supabaseAdmin.rpc("record_connection_test", args)));
    },
  };
}

export function createKeyRing(admin: Context["supabaseAdmin"], requestId: string): KeyRing {
  return {
    async toRewrap(masterKeyId, after, limit) {
      const found = await admin.rpc("data_keys_to_rewrap", {
        p_master_key_id: masterKeyId,
        p_limit: limit,
        ...(after && { p_after: after }),
      }).setHeader("x-request-id", requestId);
      return dataOf(found).map(wrappedKey);
    },
    async rewrapped(keys) {
      const rows = keys.map((key) => ({
        organization_id: key.organizationId,
        // as it was unwrapped
        version: key.version - 1,
        master_key_id: key.masterKeyId,
        wrapped: key.ciphertext,
        nonce: key.nonce,
      }));
      return dataOf(
        await admin.rpc("rewrap_data_keys", { p_keys: rows }).setHeader("x-request-id", requestId),
      );
    },
  };
}

const wrappedKey = (row: Rpcs["data_keys_to_rewrap"]["Returns"][number]): WrappedKey => ({
  organizationId: row.organization_id,
  id: row.id,
  masterKeyId: row.master_key_id,
  version: row.version,
  ciphertext: row.wrapped,
  nonce: row.nonce,
});

const secretRow = ({ dataKeyId, version, ciphertext, nonce }: NewSecret): Json => ({
  data_key_id: dataKeyId,
  version,
  ciphertext,
  nonce,
});
