import type { components } from "../../types/functions.ts";
import type { FunctionsClient } from "./functions.ts";
import type { CallOptions } from "./organizations.ts";

type Schemas = components["schemas"];

/** What describes a database: where it is, and who to be there. Without `tls_mode` it is `verify-full`. */
export type ConnectionInput = Omit<Schemas["ConnectionInput"], "organization_id">;
/** The same for a test of what is not kept. */
export type ConnectionTestInput = Omit<Schemas["ConnectionTestInput"], "organization_id">;
/** What changes. What is left out stays; whatever decides where the password is sent needs it again. */
export type ConnectionChanges = Schemas["ConnectionChanges"];
/** A database that is kept, without its password. */
export type Connection = Schemas["Connection"];
/** `ok` with what was found, or a code, and a sentence that says what to do. */
export type ConnectionTestResult = Schemas["ConnectionTestResult"];
/** What is in a database, in numbers; or why that is not known. */
export type IntrospectionResult = Schemas["IntrospectionResult"];

/** Customers' databases: added, changed, tried, read. The calls of one who is signed in; nothing here throws. */
export type ConnectionsClient = ReturnType<typeof createConnectionsClient>;

/**
 * @example
 * ```ts
 * const { data, error } = await nectar.connections.test(connection.id);
 * if (error) show(error.message); // not allowed, too many tests, …
 * else if (data.ok) show(`${data.server.product} ${data.server.version}, ${data.latency_ms.total} ms`);
 * else show(data.message); // data.code: login_failed, refused, …
 * ```
 */
export function createConnectionsClient(functions: FunctionsClient) {
  const at = (id: string, { signal }: CallOptions) => ({
    params: { path: { id } },
    ...(signal && { signal }),
  });

  return {
    /** Adds a database. Its password is encrypted, and never shown again. */
    create: (organizationId: string, connection: ConnectionInput, { signal }: CallOptions = {}) =>
      functions.POST("/connections", {
        body: { organization_id: organizationId, ...connection },
        ...(signal && { signal }),
      }),

    /** The organization's databases by name; none for those who may not read them. */
    list: (organizationId: string, { signal }: CallOptions = {}) =>
      functions.GET("/connections", {
        params: { query: { organization_id: organizationId } },
        ...(signal && { signal }),
      }),

    get: (id: string, options: CallOptions = {}) => functions.GET("/connections/{id}", at(id, options)),

    update: (id: string, changes: ConnectionChanges, options: CallOptions = {}) =>
      functions.PATCH("/connections/{id}", { body: changes, ...at(id, options) }),

    /** Deletes it, its password included. */
    remove: (id: string, options: CallOptions = {}) => functions.DELETE("/connections/{id}", at(id, options)),

    /** Tries a database that is kept. What fails is an answer too: `data.ok` is false, `data.code` says why. */
    test: (id: string, options: CallOptions = {}) =>
      functions.POST("/connections/{id}/test", at(id, options)),

    /** Tries a database without keeping anything. */
    testSettings: (organizationId: string, target: ConnectionTestInput, { signal }: CallOptions = {}) =>
      functions.POST("/connections/test", {
        body: { organization_id: organizationId, ...target },
        ...(signal && { signal }),
      }),

    /** Reads what is in it: tables, columns, keys; never rows. */
    introspect: (id: string, options: CallOptions = {}) =>
      functions.POST("/connections/{id}/introspect", at(id, options)),
  };
}
