import { createRoute, z } from "@hono/zod-openapi";
import type { FunctionApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { errorResponses } from "../_shared/responses.ts";
import type { Dependencies } from "./app.ts";
import type { Backend, StoredConnection } from "./backend.ts";
import { checkTarget } from "./check-target.ts";
import { ConnectionFailure, failureMessage } from "./failures.ts";
import { forwardTo } from "./forward.ts";
import {
  type IntrospectionResult,
  introspectionResult,
  type TestFailure,
  testInput,
  type TestResult,
  testResult,
} from "./schemas.ts";
import type { Target } from "./tester.ts";
import { uuid } from "../_shared/validation.ts";

const refusals = [
  "missing_credentials",
  "invalid_token",
  "not_permitted",
  "validation_failed",
  "tls_mode_not_allowed",
  "too_many_tests",
  "database_unavailable",
  "tester_unavailable",
] as const;
const storedRefusals = [
  "connection_not_found",
  "connection_changed",
  "master_key_missing",
  "secret_unreadable",
] as const;
const path = z.object({ id: uuid });
const answer = <Schema extends typeof testResult | typeof introspectionResult>(
  schema: Schema,
  description: string,
) => ({
  description,
  content: { "application/json": { schema } },
});
const result =
  "Success, or why not: both are answers. What cannot be connected to takes the same time, whatever it is.";

/** The button: trying a database that was described, or one that is kept, and reading what is in it. */
export function addTestRoutes(app: FunctionApp, dependencies: Dependencies): void {
  const { keys, connect, tester, secretBox, schemaStore, testsElsewhere } = dependencies;
  const authenticated = authenticate("user", keys);
  const forwarded = forwardTo(() => testsElsewhere?.(), dependencies.fetch);
  const common = {
    method: "post" as const,
    tags: ["connections"],
    security: [{ userToken: [], publishableKey: [] }],
  };

  const testAdHoc = createRoute({
    ...common,
    middleware: [authenticated, forwarded] as const,
    path: "/test",
    operationId: "testConnectionSettings",
    summary: "Tries a database without keeping anything",
    request: { body: { required: true, content: { "application/json": { schema: testInput } } } },
    responses: { 200: answer(testResult, result), ...errorResponses(...refusals, "malformed_body") },
  });
  app.openapi(testAdHoc, async (c) => {
    const { organization_id, ...target } = c.req.valid("json");
    c.set("organizationId", organization_id);
    const options = checkTarget(target, dependencies);
    await connect(c.var.supabaseContext, c.var.requestId).takeTest(organization_id);
    c.header("cache-control", "no-store");
    return c.json(await test({ ...target, options }, c.req.raw.signal), 200);
  });

  const testStored = createRoute({
    ...common,
    middleware: [authenticated, forwarded] as const,
    path: "/{id}/test",
    operationId: "testConnection",
    summary: "Tries a database that is kept",
    request: { params: path },
    responses: { 200: answer(testResult, result), ...errorResponses(...refusals, ...storedRefusals) },
  });
  app.openapi(testStored, async (c) => {
    const backend = connect(c.var.supabaseContext, c.var.requestId);
    const { stored, target } = await load(backend, c.req.valid("param").id);
    c.set("organizationId", stored.organization_id);
    const tested = await test(target, c.req.raw.signal);
    // A test that its caller left came to nothing: that says nothing of the database.
    if (!c.req.raw.signal.aborted) await backend.recordTest(stored, tested);
    c.header("cache-control", "no-store");
    return c.json(tested, 200);
  });

  const introspect = createRoute({
    ...common,
    middleware: [authenticated, forwarded] as const,
    path: "/{id}/introspect",
    operationId: "introspectConnection",
    summary: "Reads what is in a database: tables, columns, keys",
    description:
      "The catalogue only, never rows. The snapshot is kept where this backend has a document store.",
    request: { params: path },
    responses: {
      200: answer(introspectionResult, "A summary, or why there is none."),
      ...errorResponses(...refusals, ...storedRefusals, "mongodb_unavailable"),
    },
  });
  app.openapi(introspect, async (c) => {
    const backend = connect(c.var.supabaseContext, c.var.requestId);
    const { stored, target } = await load(backend, c.req.valid("param").id);
    c.set("organizationId", stored.organization_id);
    c.header("cache-control", "no-store");
    return c.json(await read(stored, target, c.req.raw.signal), 200);
  });

  /** A kept connection with its password, counted as a test. */
  async function load(backend: Backend, id: string): Promise<{ stored: StoredConnection; target: Target }> {
    const stored = await backend.get(id);
    const options = checkTarget(stored, dependencies);
    await backend.takeTest(stored.organization_id);
    const { key, version, sealed } = await backend.secret(stored);
    const binding = { organizationId: stored.organization_id, connectionId: stored.id, version };
    return { stored, target: { ...stored, options, password: await secretBox.open(key, binding, sealed) } };
  }

  async function test(target: Target, caller: AbortSignal): Promise<TestResult> {
    try {
      const { value: { server, tls, phases }, dns, tcp, total } = await tester.test(target, caller);
      const { tls: handshake, login, query } = phases;
      const latency_ms = rounded({ dns, tcp, tls: handshake, login, query, total });
      return { ok: true, server, tls, latency_ms };
    } catch (error) {
      return failed(error);
    }
  }

  async function read(
    { organization_id, id }: StoredConnection,
    target: Target,
    caller: AbortSignal,
  ): Promise<IntrospectionResult> {
    let snapshot;
    try {
      snapshot = (await tester.introspect(target, caller)).value;
    } catch (error) {
      return failed(error);
    }
    const saved = await schemaStore?.save(organization_id, id, snapshot);
    const count = (kind: "table" | "view") => snapshot.tables.filter((table) => table.kind === kind).length;
    return {
      ok: true,
      server: snapshot.server,
      database: snapshot.database,
      content_hash: snapshot.content_hash,
      schemas: snapshot.schemas.length,
      tables: count("table"),
      views: count("view"),
      columns: snapshot.tables.reduce((sum, { columns }) => sum + columns.length, 0),
      truncated: snapshot.truncated,
      snapshot_id: saved?.snapshot_id ?? null,
      changes: saved?.changes.length ?? null,
    };
  }
}

function failed(error: unknown): TestFailure {
  if (!(error instanceof ConnectionFailure)) throw error;
  const { code, reason, facts } = error;
  return {
    ok: false,
    code,
    ...(reason && { reason }),
    message: failureMessage(code, reason),
    ...(facts && { facts }),
  };
}

const rounded = <Name extends string>(latencies: Record<Name, number | null>) =>
  Object.fromEntries(
    Object.entries<number | null>(latencies)
      .map(([name, ms]) => [name, ms === null ? null : Math.round(Math.max(0, ms) * 10) / 10]),
  ) as Extract<TestResult, { ok: true }>["latency_ms"];
