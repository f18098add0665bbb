/** A backend to test against, and the keys to it. */
export interface Project {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** For `postgres`, which is no superuser. */
  databaseUrl: string;
  /** The Stripe stand-in; absent where the project has an account at Stripe, or none. */
  stripeUrl?: string | undefined;
}

type Environment = Record<string, string | undefined>;

/** `SUPABASE_URL` and its companions, all or none. */
export function projectOfEnvironment(environment: Environment): Project | undefined {
  const open = publicProject(environment);
  return (
    open && {
      ...open,
      secretKey: read(environment, "SUPABASE_SECRET_KEY"),
      databaseUrl: read(environment, "SUPABASE_DB_URL"),
      stripeUrl: environment["STRIPE_API_URL"],
    }
  );
}

/** What a front end needs of it. */
export function publicProject(environment: Environment): Pick<Project, "url" | "publishableKey"> | undefined {
  const url = environment["SUPABASE_URL"];
  return url ? { url, publishableKey: read(environment, "SUPABASE_PUBLISHABLE_KEY") } : undefined;
}

function read(environment: Environment, name: string): string {
  const value = environment[name];
  if (!value) throw new Error(`${name} is missing: it goes with SUPABASE_URL.`);
  return value;
}
