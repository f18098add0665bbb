import { readFileSync } from "node:fs";
import path from "node:path";
import { operatorsEnvironment } from "../stack/functions-environment.ts";
import { startOptions } from "../stack/options.ts";
import { repository } from "../stack/repository.ts";

/** The backend that an operator's command works on, and its account at Stripe. */
export interface OperatorsProject {
  url: string;
  secretKey: string;
  stripeKey: string;
  /** The stand-in's, where there is no account. */
  stripeUrl: string | undefined;
}

type Environment = Record<string, string | undefined>;

/**
 * What the environment names (`SUPABASE_URL`, `SUPABASE_SECRET_KEY`, `STRIPE_SECRET_KEY`), else the local stack that is
 * running and its stand-in.
 *
 * @throws {Error} saying what is missing.
 */
export function operatorsProject(environment: Environment = process.env): OperatorsProject {
  const url = environment["SUPABASE_URL"];
  if (!url) return localProject();
  const required = (name: string) => {
    const value = environment[name];
    if (!value) throw new Error(`${name} is missing: it goes with SUPABASE_URL.`);
    return value;
  };
  return {
    url,
    secretKey: required("SUPABASE_SECRET_KEY"),
    stripeKey: required("STRIPE_SECRET_KEY"),
    stripeUrl: environment["STRIPE_API_URL"],
  };
}

function localProject(): OperatorsProject {
  const { directory, stripePort } = startOptions([]);
  const account = operatorsEnvironment(repository("functions/.env"))["STRIPE_SECRET_KEY"];
  try {
    const read = (name: string) => JSON.parse(readFileSync(path.join(directory, name), "utf8"));
    const { url } = read("running.json") as { url: string };
    const { secretKey } = read("keys.json") as { secretKey: string };
    return {
      url,
      secretKey,
      stripeKey: account ?? "sk_test_standin",
      stripeUrl: account ? undefined : `http://127.0.0.1:${stripePort}`,
    };
  } catch {
    throw new Error(
      "Nothing is running here. Type `npm start` in another terminal, or set SUPABASE_URL,\n" +
        "  SUPABASE_SECRET_KEY and STRIPE_SECRET_KEY to work on a project that is deployed.",
    );
  }
}
