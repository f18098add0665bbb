import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { ConnectionInput } from "../../src/client/index.ts";
import { join } from "../support/invitations.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");
const address = new URL(project.databaseUrl);
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
const customer = `customer_${uniqueSlug("role").replaceAll("-", "_")}`;
const place = { schema: customer, table: "orders" };

afterAll(async () => {
  await sql.unsafe(`drop schema if exists ${customer} cascade; drop role if exists ${customer}`);
  await sql.end();
});

const named = (name: string): ConnectionInput => ({
  name,
  engine: "postgres",
  host: address.hostname,
  port: Number(address.port || 5432),
  database_name: address.pathname.slice(1),
  username: customer,
  password: "correct horse",
  tls_mode: "disable",
});

// A database that functions elsewhere cannot reach, or would not be let to, is none to try this on.
describe.skipIf(address.hostname !== "127.0.0.1")("what is known of a customer's database", () => {
  let ada: Person;
  let grace: Person;
  let eve: Person;
  let organization: string;
  let shop: string;

  beforeAll(async () => {
    await sql.unsafe(`
      create role ${customer} login password 'correct horse';
      create schema ${customer};
      create table ${customer}.orders (id bigint primary key, note text not null);
      grant usage on schema ${customer} to ${customer};
      grant select on ${customer}.orders to ${customer}`);
    const people = await Promise.all(["Ada", "Grace", "Eve"].map((name) => signUp(project, name)));
    [ada, grace, eve] = people as [Person, Person, Person];
    organization = must(await ada.organizations.create({ name: "Shop", slug: uniqueSlug("shop") })).id;
    await join(ada, organization, grace, "viewer");
    shop = must(await ada.connections.create(organization, named("Shop"))).id;
  });

  test("snapshots, and what changed between them", async () => {
    expect(must(await ada.connections.introspect(shop))).toMatchObject({ ok: true, changes: 0 });
    expect(must(await ada.connections.introspect(shop))).toMatchObject({ ok: true, changes: 0 });
    await sql.unsafe(`alter table ${customer}.orders add column paid_at timestamptz`);
    expect(must(await ada.connections.introspect(shop))).toMatchObject({ ok: true, changes: 1 });
    const { changes } = must(await grace.schema.diff(organization, shop, { from: 1 }));
    expect(changes).toMatchObject([place]);
  });

  test("what people say of it, and a search over all of that, each in its own organization", async () => {
    must(await ada.schema.annotate(organization, shop, { ...place, description: "Every sale of the shop." }));
    const refused = await grace.schema.annotate(organization, shop, { ...place, description: "Mine." });
    expect(refused.error?.code).toBe("not_permitted");
    const found = async (word: string) => must(await grace.schema.search(organization, word)).tables.length;
    expect([await found("orders"), await found("sale"), await found(randomUUID())]).toEqual([1, 1, 0]);
    expect((await eve.schema.search(organization, "orders")).error?.code).toBe("not_permitted");
  });

  test("its keys suggest workflows that can be made as they are, of one's own connections alone", async () => {
    const { suggestions } = must(await ada.schema.suggestions(organization, shop, place));
    expect(suggestions.length).toBeGreaterThan(0);
    for (const { name, slug, definition } of suggestions) {
      const made = await ada.workflows.create(organization, { name, slug, definition });
      expect(made.error?.details).toBeUndefined();
      expect(must(made).connection_ids).toEqual([shop]);
    }
    const definition = JSON.parse(JSON.stringify(suggestions[0]?.definition).replaceAll(shop, randomUUID()));
    const refused = await ada.workflows.create(organization, {
      name: "Foreign",
      slug: uniqueSlug("foreign"),
      definition,
    });
    expect(refused.error?.code).toBe("unknown_connection");
  });

  test("when the connection is deleted, nothing is known any more", async () => {
    const known = async () => (await ada.schema.snapshot(organization, shop)).error?.code ?? "known";
    expect(await known()).toBe("known");
    expect((await ada.connections.remove(shop)).error).toBeNull();
    await expect
      .poll(
        async () => {
          const headers = { apikey: project.secretKey };
          await fetch(`${project.url}/functions/v1/maintenance`, { method: "POST", headers });
          return known();
        },
        { timeout: 20_000 },
      )
      .toBe("schema_not_found");
  });
});
