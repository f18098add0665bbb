import process from "node:process";
import { z } from "zod";

const namedKeys = z.string().transform((text, context): Record<string, string> => {
  const parsed = z.record(z.string(), z.string()).safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  context.addIssue("expected a JSON object of names and keys");
  return z.NEVER;
});

/** What the platform gives a function, and what the operator may add. */
const variables = {
  SUPABASE_URL: z.url({ protocol: /^https?$/ }),
  SUPABASE_PUBLISHABLE_KEYS: namedKeys,
  SUPABASE_SECRET_KEYS: namedKeys,
  SUPABASE_DB_URL: z.string().regex(/^postgres(ql)?:\/\//, "expected postgresql://…").optional(),
  MONGODB_URI: z.string().regex(/^mongodb(\+srv)?:\/\//, "expected mongodb://… or mongodb+srv://…")
    .optional(),
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
