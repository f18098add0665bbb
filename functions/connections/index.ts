import process from "node:process";
import { createDocuments } from "../_documents/documents.ts";
import { createSchemaStore } from "../_documents/schema-store.ts";
import { createAddressGuard } from "../_shared/address-guard.ts";
import { readVariable } from "../_shared/env.ts";
import { logToConsole } from "../_shared/log.ts";
import { createMongo } from "../_shared/mongo.ts";
import { createSecretBox } from "../_shared/secret-box.ts";
import { createApp } from "./app.ts";
import { engines } from "./engines/engines.ts";
import { detectRuntime } from "./runtime.ts";
import { keepConsoleForLog, outliveStrayErrors } from "./stray-errors.ts";
import { createTester, nameOf } from "./tester.ts";

outliveStrayErrors((error) => logToConsole({ level: "warn", function: "connections", stray: nameOf(error) }));

const mongo = createMongo({ uri: () => readVariable("MONGODB_URI") });
const schemaStore = process.env["MONGODB_URI"] ? createSchemaStore(createDocuments({ mongo })) : undefined;

const app = createApp({
  engines,
  schemaStore,
  tester: createTester({
    engines,
    guard: () =>
      createAddressGuard({
        allowedNetworks: readVariable("CONNECTIONS_ALLOWED_NETWORKS") ?? [],
        allowedPorts: readVariable("CONNECTIONS_ALLOWED_PORTS") ?? [],
      }),
    runtime: detectRuntime(),
    onUnknown: (engine, error) => logToConsole({ level: "warn", function: "connections", engine, error }),
  }),
  secretBox: createSecretBox(() => readVariable("CONNECTIONS_MASTER_KEYS")),
  unverifiedTls: () => readVariable("CONNECTIONS_UNVERIFIED_TLS") === "1",
  testsElsewhere: () => readVariable("CONNECTIONS_URL"),
});

// The platform says when it takes an isolate away.
addEventListener("beforeunload", () => void mongo.close());

// From the first request on: before it, the platform says where it listens.
const fetch: typeof app.fetch = (...request) => {
  keepConsoleForLog();
  return app.fetch(...request);
};

export default { fetch };
