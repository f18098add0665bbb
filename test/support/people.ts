import { randomUUID } from "node:crypto";
import { createNectarClient, type NectarClient } from "../../src/client/index.ts";
import type { Project } from "./project-of-environment.ts";

/** Somebody with an account, a session, and a client of their own. */
export interface Person extends NectarClient {
  id: string;
  email: string;
}

export const PASSWORD = "correct horse battery staple";

/** Signs up a new person. The session is never refreshed by itself: an old token stays an old token. */
export async function signUp(
  project: Pick<Project, "url" | "publishableKey">,
  name: string,
): Promise<Person> {
  const nectar = createNectarClient({
    url: project.url,
    publishableKey: project.publishableKey,
    options: { auth: { persistSession: false, autoRefreshToken: false } },
  });
  const email = `${name.toLowerCase()}-${randomUUID().slice(0, 8)}@example.com`;
  const { data, error } = await nectar.supabase.auth.signUp({
    email,
    password: PASSWORD,
    options: { data: { name } },
  });
  if (error || !data.session || !data.user) {
    throw error ?? new Error(`${email} has no session after signing up. Is e-mail confirmation on?`);
  }
  return { ...nectar, id: data.user.id, email };
}

/** A slug that no other run uses. */
export const uniqueSlug = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 8)}`;

/** The data, or the error thrown: for steps that a test takes for granted. */
export function must<T>({ data, error }: { data: T; error: unknown }): NonNullable<T> {
  if (error) throw error;
  return data as NonNullable<T>;
}
