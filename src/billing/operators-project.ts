import { readFileSync } from "node:fs";
import path from "node:path";
import { operatorsEnvironment } from "../stack/functions-environment.ts";
import { startOptions } from "../stack/options.ts";
import { repository } from "../stack/repository.ts";

/** The backend that an operator's command works on. */
export interface OperatorsBackend {
  url: string;
  secretKey: string;
}

/** The backend and its account at Stripe. */
export interface OperatorsProject extends OperatorsBackend {
  stripeKey: string;
  /** The stand-in's, where there is no account. */
  stripeUrl: string | undefined;
}

type Environment = Record<string, string | undefined>;

/**
 * What the environment names (`SUPABASE_URL`, `SUPABASE_SECRET_KEY`), else the local stack that is running.
 *
 * @throws {Error} saying what is missing.
 */
export function operatorsBackend(environment: Environment = process.env): OperatorsBackend {
  const url = environment["SUPABASE_URL"];
  return url ? { url, secretKey: required(environment, "SUPABASE_SECRET_KEY") } : localBackend();
}

/**
 * What the environment names (`SUPABASE_URL`, `SUPABASE_SECRET_KEY`, `STRIPE_SECRET_KEY`), else the local stack that is
 * running and its stand-in.
 *
 * @throws {Error} saying what is missing.
 */
export function operatorsProject(environment: Environment = process.env): OperatorsProject {
  const backend = operatorsBackend(environment);
  if (environment["SUPABASE_URL"]) {
    const stripeKey = required(environment, "STRIPE_SECRET_KEY");
    return { ...backend, stripeKey, stripeUrl: environment["STRIPE_API_URL"] };
  }
  const account = operatorsEnvironment(repository("functions/.env"))["STRIPE_SECRET_KEY"];
  return {
    ...backend,
    stripeKey: account ?? "sk_test_standin",
    stripeUrl: account ? undefined : `http://127.0.0.1:${startOptions([]).stripePort}`,
  };
}

function required(environment: Environment, name: string): string {
  const value = environment[name];
  if (!value) throw new Error(`${name} is missing: it goes with SUPABASE_URL.`);
  return value;
}

function localBackend(): OperatorsBackend {
  const { directory } = startOptions([]);
  try {
    const read = (name: string) => JSON.parse(readFileSync(path.join(directory, name), "utf8"));
    const { url } = read("running.json") as { url: string };
    const { secretKey } = read("keys.json") as { secretKey: string };
    return { url, secretKey };
  } catch {
    throw new Error(
      "Nothing is running here. Type `npm start` in another terminal, or set SUPABASE_URL and its\n" +
        "  companions to work on a project that is deployed.",
    );
  }
}
