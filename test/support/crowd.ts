import { randomUUID } from "node:crypto";
import type { Sql, TransactionSql } from "postgres";

/** An organization of a test's own, and people in it, made past the API for tests of what happens at once. */
export interface Crowd {
  organization: string;
  /** Runs `work` in a transaction as a request of this person would. */
  as<T>(userId: string, work: (sql: TransactionSql) => Promise<T>): Promise<T>;
  /** People with a proven address, who are members if a role is given. */
  people(count: number, roleKey?: string): Promise<string[]>;
  disband(): Promise<void>;
}

export async function gather(sql: Sql): Promise<Crowd> {
  const organization = randomUUID();
  const everybody: string[] = [];
  await sql`
    insert into public.organizations (id, name, slug)
    values (${organization}, 'Crowded', ${`crowded-${organization.slice(0, 8)}`})`;
  // Tests of a limit set their own.
  await sql`
    insert into public.entitlement_overrides (organization_id, key, reason)
    values (${organization}, 'applications', 'Agreed on.')`;
  return {
    organization,
    as: (userId, work) =>
      sql.begin(async (transaction) => {
        const claims = JSON.stringify({ sub: userId, role: "authenticated" });
        await transaction`
          select set_config('role', 'authenticated', true), set_config('request.jwt.claims', ${claims}, true)`;
        return await work(transaction);
      }) as Promise<never>,
    async people(count, roleKey) {
      const ids = Array.from({ length: count }, () => randomUUID());
      everybody.push(...ids);
      await sql`
        insert into auth.users ${sql(ids.map((id) => ({ id, email: addressOf(id), email_confirmed_at: new Date() })))}`;
      if (roleKey) {
        await sql`
          insert into public.memberships ${sql(
            ids.map((user_id) => ({ organization_id: organization, user_id, role_key: roleKey })),
          )}`;
      }
      return ids;
    },
    async disband() {
      await sql`delete from public.organizations where id = ${organization}`;
      await sql`delete from auth.users where id = any (${everybody})`;
    },
  };
}

export const addressOf = (userId: string): string => `${userId}@example.com`;

/** How often each thing came of what was tried at once: `done`, or the code of the refusal. */
export function tally(attempts: PromiseSettledResult<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const attempt of attempts) {
    const code = attempt.status === "fulfilled" ? "done" : codeOf(attempt.reason);
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}

// PostgreSQL's own hints are sentences.
const codeOf = ({ hint, code }: { hint?: string; code?: string }) =>
  (/^[a-z_]+$/.test(hint ?? "") ? hint : code) ?? "unknown";
