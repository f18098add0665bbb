import process from "node:process";
import { z } from "zod";

const namedKeys = z.string().transform((text, context): Record<string, string> => {
  const parsed = z.record(z.string(), z.string()).safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  context.addIssue("expected a JSON object of names and keys");
  return z.NEVER;
});

/** Where a browser may be sent: https, or this machine while developing. */
const appUrl = z.url({ protocol: /^https?$/ }).refine((text) => {
  const { protocol, hostname, username } = new URL(text);
  return username === "" && (protocol === "https:" || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname));
}, "expected https://…");

const list = z.string().transform((text) => text.split(",").map((entry) => entry.trim()).filter(Boolean));
/** Base64 of 32 bytes or more, by the key's name; the first signs, all are accepted. */
const linkKeys = namedKeys.refine(
  (keys) =>
    Object.keys(keys).length > 0 &&
    Object.entries(keys).every(([name, key]) =>
      /^[a-z0-9]{1,16}$/.test(name) && /^[A-Za-z0-9+/]{43,200}={0,2}$/.test(key)
    ),
  "expected a JSON object of names (a-z, 0-9) and base64 keys of at least 32 bytes",
);

/** What the platform gives a function, and what the operator may add. */
const variables = {
  SUPABASE_URL: z.url({ protocol: /^https?$/ }),
  SUPABASE_PUBLISHABLE_KEYS: namedKeys,
  SUPABASE_SECRET_KEYS: namedKeys,
  SUPABASE_DB_URL: z.string().regex(/^postgres(ql)?:\/\//, "expected postgresql://…").optional(),
  MONGODB_URI: z.string().regex(/^mongodb(\+srv)?:\/\//, "expected mongodb://… or mongodb+srv://…")
    .optional(),
  /**
   * The one header that says who is calling: the one that the proxy in front of the functions always sets itself.
   * Any other could be the caller's own.
   */
  CLIENT_IP_HEADER: z.string().regex(/^[a-z][a-z-]*$/, "expected a header's name in lower case").default(
    "cf-connecting-ip",
  ),
  /** Present: the data plane decides on budget taken in advance, for so long at most. Absent: it asks for each request. */
  API_LEASE_SECONDS: z.coerce.number<string>().int().min(1).max(5).optional(),
  /** What download links of artifacts are signed with. */
  ARTIFACT_LINK_KEYS: linkKeys.optional(),
  /** Where the product's own pages are: links in mails lead there. */
  APP_URL: appUrl,
  SMTP_URL: z.string().regex(/^smtps?:\/\//, "expected smtps://… or smtp://…").optional(),
  /** The address, or `Name <address>`, that mails come from. */
  MAIL_FROM: z.string().regex(/^[^\r\n<>@]*<?[^\s<>@]+@[^\s<>@]+>?$/, "expected an e-mail address")
    .optional(),
  /** Absent: this backend sells nothing. */
  STRIPE_SECRET_KEY: z.string().regex(/^(sk|rk)_(test|live)_\w+$/, "expected sk_test_… or sk_live_…")
    .optional(),
  /** Instead of Stripe itself, while developing: the stand-in on this machine. */
  STRIPE_API_URL: z.url({ protocol: /^http$/, hostname: /^(localhost|127\.0\.0\.1)$/ }).optional(),
  /** The webhook endpoint's signing secrets, separated by commas: two while one is rolled over. */
  STRIPE_WEBHOOK_SECRETS: z.string().transform((text) => text.split(",").map((secret) => secret.trim()))
    .pipe(z.array(z.string().regex(/^whsec_\w+$/, "expected whsec_…, separated by commas"))).optional(),
  /** Where checkout may send a browser back to besides APP_URL: origins, separated by commas. */
  BILLING_RETURN_ORIGINS: z.string().optional(),
  /** `1`: mails are written to the log instead, while developing. */
  NECTAR_CONSOLE_MAIL: z.enum(["0", "1"]).optional(),
  /** `id:base64,id:base64`: what passwords of customers' databases are kept under; the first is the current one. */
  CONNECTIONS_MASTER_KEYS: z.string().optional(),
  /** Networks, beyond the public internet, in which customers' databases may be: `10.1.0.0/16,fd12::/48`. */
  CONNECTIONS_ALLOWED_NETWORKS: list.optional(),
  /** Ports below 1024 on which customers' databases may be: `443`. */
  CONNECTIONS_ALLOWED_PORTS: list.pipe(z.array(z.coerce.number<string>().int().min(1).max(65535))).optional(),
  /** `1`: connections without encryption, or without a look at the certificate, are allowed. */
  CONNECTIONS_UNVERIFIED_TLS: z.enum(["0", "1"]).optional(),
  /** Another host that runs functions/connections, and does its tests: on a newer Deno, or beside the databases. */
  CONNECTIONS_URL: appUrl.optional(),
};

type Variables = typeof variables;

/**
 * Reads one environment variable when it is needed.
 *
 * @throws {Error} naming the variable, never its value, when it is missing or malformed.
 */
export function readVariable<Name extends keyof Variables>(
  name: Name,
  environment: Record<string, string | undefined> = process.env,
): z.infer<Variables[Name]> {
  // An empty value is how a shell or a CI system says "not set".
  const parsed = variables[name].safeParse(environment[name] || undefined);
  if (parsed.success) return parsed.data as z.infer<Variables[Name]>;
  if (!environment[name]) throw new Error(`${name} is missing. Set it in the function's environment.`);
  throw new Error(`${name} is not valid: ${parsed.error.issues[0]?.message}.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
