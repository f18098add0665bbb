import { AppError } from "../_shared/errors.ts";
import { readVariable } from "../_shared/env.ts";
import type { Mongo } from "../_shared/mongo.ts";
import type { Postgres } from "../_shared/postgres.ts";
import { type Check, DependencyDown, type MonitoredDependency } from "./dependencies.ts";

export interface Stores {
  postgres: Postgres;
  mongo: Mongo;
}

/** What the backend stands on, as the function's environment names it. */
export function monitoredDependencies(
  { postgres, mongo }: Stores,
  environment: Record<string, string | undefined>,
): MonitoredDependency[] {
  const url = (path: string) => configured(() => new URL(path, readVariable("SUPABASE_URL", environment)));
  const keyOf = (name: "SUPABASE_PUBLISHABLE_KEYS" | "SUPABASE_SECRET_KEYS") =>
    configured(() => Object.values(readVariable(name, environment))[0] ?? "");

  return [
    {
      name: "database",
      required: true,
      check: async () => {
        if (!configured(() => readVariable("SUPABASE_DB_URL", environment))) {
          throw new DependencyDown("misconfigured");
        }
        await stored(() => postgres.run((sql) => sql`select 1`));
      },
    },
    {
      name: "auth",
      required: true,
      check: answers("GET", () => url("/auth/v1/health"), () => keyOf("SUPABASE_PUBLISHABLE_KEYS")),
    },
    {
      name: "rest",
      required: true,
      check: answers("HEAD", () => url("/rest/v1/"), () => keyOf("SUPABASE_SECRET_KEYS")),
    },
    {
      name: "mongodb",
      required: false,
      check: environment["MONGODB_URI"]
        ? () => stored(() => mongo.run((database) => database.command({ ping: 1 })))
        : undefined,
    },
  ];
}

function answers(method: "GET" | "HEAD", url: () => URL, apikey: () => string): Check {
  return async (signal) => {
    const response = await fetch(url(), { method, headers: { apikey: apikey() }, signal }).catch((cause) => {
      throw new DependencyDown("unreachable", { cause });
    });
    await response.body?.cancel();
    if (!response.ok) {
      throw new DependencyDown("unexpected_answer", { cause: new Error(`status ${response.status}`) });
    }
  };
}

async function stored(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    // What is not "unreachable" answered, but not as it should: no rights, a wrong protocol, a refused login.
    throw new DependencyDown(cause instanceof AppError ? "unreachable" : "unexpected_answer", { cause });
  }
}

function configured<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new DependencyDown("misconfigured", { cause });
  }
}
