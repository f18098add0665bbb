import { defineConfig } from "vitest/config";

// The last three projects share a running stack each; the others start what they need themselves.
export default defineConfig({
  test: {
    // For what hangs. How long the rest takes is the machine's: a busy one takes ten times as long as an idle one.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    projects: [
      { extends: true, test: { name: "unit", include: ["src/**/*.test.ts", "test/*.test.ts"] } },
      { extends: true, test: { name: "gateway", include: ["test/gateway/*.test.ts"] } },
      {
        extends: true,
        // Most of the time is spent waiting: for silence, for a connection's end, for a process.
        test: {
          name: "connections",
          include: ["test/connections/*.test.ts"],
          maxConcurrency: 10,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: { name: "mongo", include: ["test/mongo/*.test.ts"], globalSetup: "test/mongo/server.ts" },
      },
      { extends: true, test: { name: "stack", include: ["test/stack/*.test.ts"] } },
      {
        extends: true,
        // By itself: what others commit meanwhile is not there to be counted.
        test: {
          name: "pgtap",
          include: ["test/database/pgtap.test.ts"],
          globalSetup: "test/support/project.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "database",
          include: ["test/database/*.test.ts"],
          exclude: ["test/database/pgtap.test.ts"],
          globalSetup: "test/support/project.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "billing",
          include: ["test/billing/*.test.ts"],
          // A replay takes every event that failed: another file's too.
          fileParallelism: false,
          globalSetup: "test/support/project.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "journeys",
          include: ["test/journeys/*.test.ts"],
          // Maintenance does everybody's work, and of two runs one is skipped.
          fileParallelism: false,
          globalSetup: "test/support/project.ts",
        },
      },
    ],
  },
});
