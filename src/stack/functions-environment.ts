import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { StackFailure } from "./failure.ts";
import { type ProjectKeys, publicJwks } from "./keys.ts";

/** The environment that the platform gives its functions. */
export function platformEnvironment(
  url: string,
  keys: ProjectKeys,
  databaseUrl: string,
  mongoUri: string | undefined,
): Record<string, string> {
  return {
    SUPABASE_URL: url,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secretKey }),
    SUPABASE_JWKS: JSON.stringify(publicJwks(keys)),
    SUPABASE_DB_URL: databaseUrl,
    ...(mongoUri ? { MONGODB_URI: mongoUri } : {}),
  };
}

/**
 * Reads `functions/.env`: what `supabase secrets set` is on the platform.
 *
 * @throws {StackFailure} naming the line, never what it holds, when it cannot be understood.
 */
export function operatorsEnvironment(file: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new StackFailure(
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code}).\nMend or remove it.`,
    );
  }
  // parseEnv passes over what it does not understand, and a secret would be missing without a word.
  const wrong = withoutQuoted(text)
    .split("\n")
    .findIndex((line) => !/^\s*(#[\s\S]*|(export\s+)?[A-Za-z_]\w*\s*=(?!\s*["'`])[\s\S]*)?$/.test(line));
  if (wrong === -1) return parseEnv(text) as Record<string, string>;
  throw new StackFailure(`${file}, line ${wrong + 1}: expected NAME=value, NAME="value" or # a comment.`);
}

/** Quoted values may have several lines: only their line ends are kept. */
const withoutQuoted = (text: string) =>
  text.replace(/(=[ \t]*)(["'`])[\s\S]*?\2/g, (quoted, sign) => sign + quoted.replace(/[^\n]/g, ""));

/**
 * What an operator sets, and a newcomer need not: links lead to a page on this machine, mails go to the log, databases
 * on this machine may be connected to, download links end with the stack, and the gateway says who
 * is calling.
 */
export function developersEnvironment(siteUrl: string, keys: ProjectKeys): Record<string, string> {
  // The same at every start, and another on every machine.
  const masterKey = createHash("sha256").update(`connections ${keys.secretKey}`).digest("base64");
  return {
    APP_URL: siteUrl,
    NECTAR_CONSOLE_MAIL: "1",
    CLIENT_IP_HEADER: "x-forwarded-for",
    CONNECTIONS_MASTER_KEYS: `local:${masterKey}`,
    CONNECTIONS_ALLOWED_NETWORKS: "127.0.0.0/8,::1/128",
    CONNECTIONS_UNVERIFIED_TLS: "1",
    ARTIFACT_LINK_KEYS: JSON.stringify({ local: randomBytes(32).toString("base64") }),
  };
}

/** The stand-in's keys. The API's is the same at every start, so that one can be used by hand. */
export function stripeEnvironment() {
  return {
    STRIPE_SECRET_KEY: "sk_test_standin",
    STRIPE_WEBHOOK_SECRETS: `whsec_${randomBytes(24).toString("hex")}`,
  };
}
