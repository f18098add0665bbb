import type { SupabaseContext, SupabaseEnv } from "@supabase/server";
import type { Database } from "../../types/database.ts";
import { createFunction, type FunctionApp } from "../_shared/app.ts";
import { type Log, logToConsole } from "../_shared/log.ts";
import type { SecretBox } from "../_shared/secret-box.ts";
import { createBackend, createKeyRing } from "./backend.ts";
import type { Engine, EngineName } from "./engine.ts";
import { addConnectionRoutes } from "./connection-routes.ts";
import { addRotationRoute } from "./rotation-route.ts";
import type { SchemaStore } from "./schema-store.ts";
import { addTestRoutes } from "./test-routes.ts";
import type { Tester } from "./tester.ts";

export interface ConnectionsOptions {
  engines: Record<EngineName, Engine>;
  tester: Tester;
  secretBox: SecretBox;
  /** Whether the operator allows connections without a look at the certificate. Read at each request. */
  unverifiedTls: () => boolean;
  /** Another host that does the tests. Read at each request; undefined: this one. */
  testsElsewhere?: () => string | undefined;
  /** Where snapshots are kept; undefined: nowhere. */
  schemaStore?: SchemaStore | undefined;
  log?: Log;
  /** Milliseconds since 1970. */
  clock?: () => number;
  fetch?: typeof fetch;
  /** Instead of the platform's keys. */
  keys?: Partial<SupabaseEnv>;
  /** Instead of the project's database. */
  connect?: (context: SupabaseContext<Database>, requestId: string) => ReturnType<typeof createBackend>;
  connectKeyRing?: typeof createKeyRing;
}

/** What the routes share. */
export type Dependencies =
  & Required<Pick<ConnectionsOptions, "connect" | "connectKeyRing" | "log">>
  & Omit<ConnectionsOptions, "connect" | "connectKeyRing" | "log">;

export function createApp(options: ConnectionsOptions): FunctionApp {
  const dependencies: Dependencies = {
    log: logToConsole,
    connect: createBackend,
    connectKeyRing: createKeyRing,
    ...options,
  };
  const { log, clock } = dependencies;
  const app = createFunction({
    name: "connections",
    maxBodyBytes: 128 * 1024,
    log,
    ...(clock && { clock }),
  });
  addTestRoutes(app, dependencies);
  addRotationRoute(app, dependencies);
  addConnectionRoutes(app, dependencies);
  return app;
}
