import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parse } from "smol-toml";
import { StackFailure } from "./failure.ts";
import type { AuthSettings } from "./gateway/gateway.ts";
import type { MongoChoice } from "./mongo/mongo.ts";
import { repository } from "./repository.ts";

/** What `npm start` may be told, by flag or environment. */
export interface StartOptions {
  /** `NECTAR_PORT`, default 54321: the gateway. */
  port: number;
  /** `NECTAR_DB_PORT`, default 54330: PostgreSQL. */
  databasePort: number;
  /** `NECTAR_STRIPE_PORT`, default 54340: the Stripe stand-in. */
  stripePort: number;
  /** `NECTAR_DATA`, default `.nectar`: keys, data and what is running. */
  directory: string;
  /** `MONGODB_URI`: a MongoDB of one's own. */
  mongoUri: string | undefined;
  /** `MONGODB_URI=none` or `own`, else `find`. */
  mongo: MongoChoice;
  /** `--reset`: throw the data away first. */
  reset: boolean;
  help: boolean;
}

export const usage = `npm start [-- --reset]

  --reset          throw the local data away and start anew

  NECTAR_PORT         the one port of the API                54321
  NECTAR_DB_PORT      PostgreSQL                             54330
  NECTAR_STRIPE_PORT  the Stripe stand-in                    54340
  NECTAR_DATA         folder for data and keys               .nectar
  MONGODB_URI         a MongoDB of your own, or none, or     a real mongod where one
                      own (Nectar's development server)      can be had, else own
  functions/.env      more environment for the edge functions`;

export function startOptions(
  args: string[] = process.argv.slice(2),
  environment: Record<string, string | undefined> = process.env,
): StartOptions {
  let flags: { reset: boolean; help: boolean };
  try {
    flags = parseArgs({
      args,
      options: { reset: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
    }).values;
  } catch (error) {
    const [what] = (error as Error).message.split(". ");
    throw new StackFailure(`${what}\n\n${usage}`);
  }
  const mongo = environment["MONGODB_URI"] || undefined;
  const choice = mongo === "none" || mongo === "own" ? mongo : undefined;
  const usual = { NECTAR_PORT: 54321, NECTAR_DB_PORT: 54330, NECTAR_STRIPE_PORT: 54340 };
  const ports = Object.entries(usual).map(([name, port]) => [name, portOf(environment, name, port)] as const);
  for (const [name, chosen] of ports) {
    const [other] = ports.find(([other, port]) => port === chosen && other !== name) ?? [];
    if (other) throw new StackFailure(`${name} and ${other} are both ${chosen}: each needs its own.`);
  }
  const [[, port], [, databasePort], [, stripePort]] = ports as [Port, Port, Port];
  return {
    port,
    databasePort,
    stripePort,
    directory: repository(environment["NECTAR_DATA"] || ".nectar"),
    mongoUri: choice ? undefined : mongo,
    mongo: choice ?? "find",
    ...flags,
  };
}

type Port = readonly [name: string, port: number];

function portOf(environment: Record<string, string | undefined>, name: string, usual: number): number {
  const given = environment[name] || String(usual);
  const value = Number(given);
  if (Number.isInteger(value) && value > 0 && value < 65_536) return value;
  throw new StackFailure(`${name} is ${given}: expected a port between 1 and 65535.`);
}

/** What the gateway needs of `supabase/config.toml`. */
export function projectSettings(): { auth: AuthSettings; api: { schemas: string[]; maxRows: number } } {
  const config = parse(readFileSync(repository("supabase/config.toml"), "utf8")) as unknown as ProjectConfig;
  const { auth, api } = config;
  const hook = auth.hook?.custom_access_token;
  return {
    auth: {
      siteUrl: auth.site_url,
      additionalRedirectUrls: auth.additional_redirect_urls,
      jwtExpiry: auth.jwt_expiry,
      autoconfirm: !auth.email.enable_confirmations,
      enableSignup: auth.enable_signup,
      minimumPasswordLength: auth.minimum_password_length,
      tokenHook: hook?.enabled ? hook.uri : undefined,
    },
    api: { schemas: api.schemas, maxRows: api.max_rows },
  };
}

interface ProjectConfig {
  api: { schemas: string[]; max_rows: number };
  auth: {
    site_url: string;
    additional_redirect_urls: string[];
    jwt_expiry: number;
    enable_signup: boolean;
    minimum_password_length: number;
    email: { enable_confirmations: boolean };
    hook?: { custom_access_token?: { enabled: boolean; uri: string } };
  };
}
