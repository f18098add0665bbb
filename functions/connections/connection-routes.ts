import { createRoute, z } from "@hono/zod-openapi";
import type { FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { errorResponses } from "../_shared/responses.ts";
import type { WrappedKey } from "../_shared/secret-box.ts";
import type { Dependencies } from "./app.ts";
import type { Backend, NewSecret, StoredConnection } from "./backend.ts";
import { checkTarget } from "./check-target.ts";
import { type Connection, connection, connectionChanges, connectionInput } from "./schemas.ts";
import { uuid } from "../_shared/validation.ts";

const refusals = ["missing_credentials", "invalid_token", "database_unavailable"] as const;
const secretRefusals = ["master_key_missing", "secret_unreadable"] as const;
const inputRefusals = [
  "malformed_body",
  "validation_failed",
  "tls_mode_not_allowed",
  "invalid_connection_name",
  "unknown_application",
  "connection_name_taken",
] as const;
const path = z.object({ id: uuid });
const asUser = [{ userToken: [], publishableKey: [] }];
const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: connection } },
});

/** Making, reading, changing and deleting connections. */
export function addConnectionRoutes(app: FunctionApp, dependencies: Dependencies): void {
  const { keys, connect, secretBox } = dependencies;
  const common = { tags: ["connections"], security: asUser, middleware: authenticate("user", keys) };

  const create = createRoute({
    ...common,
    method: "post",
    path: "/",
    operationId: "createConnection",
    summary: "Adds a database",
    description: "Its password is encrypted under the organization's own key, and never shown again.",
    request: { body: { required: true, content: { "application/json": { schema: connectionInput } } } },
    responses: {
      201: answer("Added."),
      ...errorResponses(
        ...refusals,
        ...inputRefusals,
        "limit_reached",
        "not_permitted",
        ...secretRefusals,
      ),
    },
  });
  app.openapi(create, async (c) => {
    const { organization_id, password, ...details } = c.req.valid("json");
    c.set("organizationId", organization_id);
    const checked = { ...details, options: checkTarget(details, dependencies) };
    const backend = connect(c.var.supabaseContext, c.var.requestId);
    await backend.requireManager(organization_id);
    const id = crypto.randomUUID();
    const secret = await seal(backend, { organization_id, id }, 1, password);
    c.header("cache-control", "no-store");
    return c.json(shown(await backend.create(organization_id, id, checked, secret)), 201);
  });

  const list = createRoute({
    ...common,
    method: "get",
    path: "/",
    operationId: "listConnections",
    summary: "The organization's databases",
    request: { query: z.object({ organization_id: uuid }) },
    responses: {
      200: {
        description: "Sorted by name; empty for those who may not read them.",
        content: { "application/json": { schema: z.object({ connections: z.array(connection) }) } },
      },
      ...errorResponses(...refusals, "validation_failed"),
    },
  });
  app.openapi(list, async (c) => {
    const { organization_id } = c.req.valid("query");
    c.set("organizationId", organization_id);
    const backend = connect(c.var.supabaseContext, c.var.requestId);
    c.header("cache-control", "no-store");
    return c.json({ connections: (await backend.list(organization_id)).map(shown) }, 200);
  });

  const read = createRoute({
    ...common,
    method: "get",
    path: "/{id}",
    operationId: "getConnection",
    summary: "One database",
    request: { params: path },
    responses: {
      200: answer("As it is."),
      ...errorResponses(...refusals, "validation_failed", "connection_not_found"),
    },
  });
  app.openapi(read, async (c) => {
    const found = await connect(c.var.supabaseContext, c.var.requestId).get(c.req.valid("param").id);
    c.set("organizationId", found.organization_id);
    c.header("cache-control", "no-store");
    return c.json(shown(found), 200);
  });

  const update = createRoute({
    ...common,
    method: "patch",
    path: "/{id}",
    operationId: "updateConnection",
    summary: "Changes a database, or its password",
    description: "What is left out stays as it is, the password included.",
    request: {
      params: path,
      body: { required: true, content: { "application/json": { schema: connectionChanges } } },
    },
    responses: {
      200: answer("Changed."),
      ...errorResponses(
        ...refusals,
        ...inputRefusals,
        "password_required",
        "not_permitted",
        "connection_not_found",
        "connection_changed",
        ...secretRefusals,
      ),
    },
  });
  app.openapi(update, async (c) => {
    const { revision, password, ...changes } = c.req.valid("json");
    const backend = connect(c.var.supabaseContext, c.var.requestId);
    const before = await backend.get(c.req.valid("param").id);
    const { organization_id, engine, tls_mode, ca_certificate, options } = before;
    c.set("organizationId", organization_id);
    await backend.requireManager(organization_id);
    const checked = checkTarget({
      engine,
      tls_mode: changes.tls_mode ?? tls_mode,
      ca_certificate: changes.ca_certificate === undefined ? ca_certificate : changes.ca_certificate,
      options: changes.options ?? options,
    }, dependencies);
    const secret = password === undefined
      ? undefined
      : await seal(backend, before, before.secret_version + 1, password);
    const updated = await backend.update(
      before.id,
      revision ?? before.revision,
      { ...changes, ...(changes.options && { options: checked }) },
      secret,
    );
    c.header("cache-control", "no-store");
    return c.json(shown(updated), 200);
  });

  const remove = createRoute({
    ...common,
    method: "delete",
    path: "/{id}",
    operationId: "deleteConnection",
    summary: "Deletes a database's connection, its password included",
    request: { params: path },
    responses: {
      204: { description: "Deleted." },
      ...errorResponses(...refusals, "validation_failed", "connection_not_found"),
    },
  });
  app.openapi(remove, async (c) => {
    await connect(c.var.supabaseContext, c.var.requestId).remove(c.req.valid("param").id);
    return c.body(null, 204);
  });

  async function seal(
    backend: Backend,
    { organization_id, id }: Pick<StoredConnection, "organization_id" | "id">,
    version: number,
    password: string,
  ): Promise<NewSecret> {
    const key: WrappedKey = await backend.dataKey(organization_id) ??
      await backend.addDataKey(await secretBox.newDataKey(organization_id));
    const binding = { organizationId: organization_id, connectionId: id, version };
    return { dataKeyId: key.id, version, ...await secretBox.seal(key, binding, password) };
  }
}

/** What callers see of it: the answer's schema, and nothing that a later column may add. */
function shown(stored: StoredConnection): Connection {
  const { secret_version: _, ...rest } = stored;
  return connection.parse(rest);
}
