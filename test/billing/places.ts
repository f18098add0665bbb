import { randomUUID } from "node:crypto";
import type { Sql } from "postgres";
import type { Postgres } from "../../functions/_shared/postgres.ts";
import { PRODUCT } from "./histories.ts";

/** Organizations of a test's own, each linked to a customer: as many at once as are asked for. */
export async function linkOrganizations(sql: Sql, customers: string[]): Promise<Map<string, string>> {
  const places = customers.map((customer) => ({ customer, id: randomUUID() }));
  const ids = places.map(({ id }) => id);
  await sql`
    insert into public.organizations (id, name, slug)
    select id, 'Convergence', 'convergence-' || id from unnest(${ids}::uuid[]) as id`;
  await sql`
    select public.link_stripe_customer(id, customer, false)
    from unnest(${ids}::uuid[], ${customers}::text[]) as place (id, customer)`;
  return new Map(places.map(({ customer, id }) => [customer, id]));
}

/** The plan that the histories' prices belong to. */
export async function offerPlan(sql: Sql): Promise<void> {
  const plan = JSON.stringify({
    key: "convergence",
    kind: "plan",
    name: "Convergence",
    description: "For tests.",
    position: 1000,
    is_public: false,
    stripe_product_id: PRODUCT,
    limits: [{ key: "seats", value: 10 }],
  });
  await sql`select public.sync_plan(${plan}::text::jsonb)`;
}

/** A database as functions have it, over a test's own connections. */
export const asPostgres = (sql: Sql): Postgres => ({
  run: (work) => work(sql as never),
  close: async () => {},
});
