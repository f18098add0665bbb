import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { ConnectionInput, ConnectionTestInput } from "../../src/client/index.ts";
import { freePort } from "../../src/stack/ports.ts";
import { join } from "../support/invitations.ts";
import { must, type Person, signUp, uniqueSlug } from "../support/people.ts";

const project = inject("project");
const address = new URL(project.databaseUrl);
const sql = postgres(project.databaseUrl, { max: 1, onnotice() {} });
const canary = "canary-Passw0rd-51c7";
const customer = `customer_${uniqueSlug("role").replaceAll("-", "_")}`;

afterAll(async () => {
  await sql.unsafe(`drop schema if exists ${customer} cascade; drop role if exists ${customer}`);
  await sql.end();
});

/** The project's own database, as a customer's: with a login and a schema of theirs. */
const theirs = {
  engine: "postgres",
  host: address.hostname,
  port: Number(address.port || 5432),
  database_name: address.pathname.slice(1),
  username: customer,
  password: canary,
  tls_mode: "disable",
} satisfies ConnectionTestInput;
const named = (name: string, changes: Partial<ConnectionInput> = {}): ConnectionInput => ({
  name,
  ...theirs,
  ...changes,
});

// A database that functions elsewhere cannot reach, or would not be let to, is none to try this on.
describe.skipIf(address.hostname !== "127.0.0.1")("a customer's database", () => {
  let ada: Person;
  let grace: Person;
  let mallory: Person;
  let organization: string;
  let shop: string;

  beforeAll(async () => {
    await sql.unsafe(`
      create role ${customer} login password '${canary}';
      create schema ${customer};
      create table ${customer}.orders (id bigint primary key, note text not null);
      comment on table ${customer}.orders is 'What was sold.';
      grant usage on schema ${customer} to ${customer};
      grant select on ${customer}.orders to ${customer}`);
    [ada, grace, mallory] = await Promise.all(
      ["Ada", "Grace", "Mallory"].map((name) => signUp(project, name)) as [
        Promise<Person>,
        Promise<Person>,
        Promise<Person>,
      ],
    );
    organization = must(await ada.organizations.create({ name: "Shop", slug: uniqueSlug("shop") })).id;
    await join(ada, organization, grace, "viewer");
  });

  test("is added, and shown without its password to those who may read", async () => {
    const added = must(await ada.connections.create(organization, named("Shop")));
    shop = added.id;
    expect(added).toMatchObject({ name: "Shop", username: customer, revision: 1, last_test: null });

    expect(must(await grace.connections.list(organization)).connections).toEqual([added]);
    expect(must(await grace.connections.get(shop))).toEqual(added);
    expect(must(await mallory.connections.list(organization)).connections).toEqual([]);
    expect((await mallory.connections.get(shop)).error).toMatchObject({
      code: "connection_not_found",
      status: 404,
    });
    // Or straight from the database, under the same policies.
    const direct = await grace.supabase.from("database_connections").select("name, host").eq("id", shop);
    expect(direct.data).toEqual([{ name: "Shop", host: address.hostname }]);
  });

  test("is tested: the server, each phase, and what is kept of it", async () => {
    const tested = must(await ada.connections.test(shop));
    expect(tested).toMatchObject({ ok: true, server: { product: "PostgreSQL" }, tls: null });
    if (!tested.ok) return;
    const { dns, tls, tcp, login, query, total } = tested.latency_ms;
    expect([dns, tls]).toEqual([null, null]);
    for (const phase of [tcp, login, query]) expect(phase).toBeGreaterThanOrEqual(0);
    expect(total).toBeGreaterThan(0);
    const { last_test, last_tested_at } = must(await grace.connections.get(shop));
    expect(last_test).toEqual(tested);
    expect(last_tested_at).not.toBeNull();
    const trail = await sql`
      select on_behalf_of from public.audit_log
      where organization_id = ${organization} and action = 'database_connections.update' order by seq desc limit 1`;
    expect(trail[0]?.["on_behalf_of"]).toBe(ada.id);
  });

  test("is read: what is in it, in numbers", async () => {
    const read = must(await ada.connections.introspect(shop));
    expect(read).toMatchObject({ ok: true, truncated: false, database: theirs.database_name });
    if (!read.ok) return;
    expect(read.tables).toBeGreaterThan(0);
    expect(read.columns).toBeGreaterThanOrEqual(2);
    expect(read.content_hash).toMatch(/^[0-9a-f]{64}$/);
  });

  test("tells why it cannot be used", async () => {
    const outcomes = await Promise.all(
      (
        [
          { password: `${canary}-wrong` },
          { database_name: "no_such_database" },
          { tls_mode: "verify-full" },
          { port: await freePort() },
          { host: "169.254.169.254" },
          { host: "no-such-host.invalid" },
          { port: 22 },
        ] as const
      ).map(async (change) =>
        must(await ada.connections.testSettings(organization, { ...theirs, ...change })),
      ),
    );
    expect(outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.code))).toEqual([
      "login_failed",
      "database_not_found",
      "tls_failed",
      "refused",
      "blocked_address",
      "dns_failed",
      "blocked_address",
    ]);
  });

  test("is not sent elsewhere by somebody who does not know its password", async () => {
    const moved = await ada.connections.update(shop, { host: "evil.example.com" });
    expect(moved.error).toMatchObject({ code: "password_required", status: 400 });
    const renamed = must(await ada.connections.update(shop, { name: "Store" }));
    expect(renamed).toMatchObject({ name: "Store", revision: 2, host: address.hostname });
    const late = await ada.connections.update(shop, { revision: 1, name: "Late" });
    expect(late.error).toMatchObject({ code: "connection_changed", status: 409 });
  });

  test("is not changed, tested or deleted by a viewer, nor by a stranger", async () => {
    for (const [person, code] of [
      [grace, "not_permitted"],
      [mallory, "connection_not_found"],
    ] as const) {
      expect((await person.connections.test(shop)).error?.code).toBe(code);
      expect((await person.connections.introspect(shop)).error?.code).toBe(code);
      expect((await person.connections.update(shop, { name: "Mine" })).error?.code).toBe(code);
      expect((await person.connections.remove(shop)).error?.code).toBe("connection_not_found");
      expect((await person.connections.create(organization, named("Mine"))).error?.code).toBe(
        "not_permitted",
      );
      const settings = await person.connections.testSettings(organization, theirs);
      expect(settings.error?.code).toBe("not_permitted");
      expect((await person.supabase.rpc("read_connection_secret", { p_connection_id: shop })).status).toBe(
        403,
      );
    }
    const planted = await ada.supabase
      .from("database_connections")
      .update({ host: "evil.example.com" } as never)
      .eq("id", shop);
    expect(planted).toMatchObject({ status: 403, error: { code: "42501" } });
  });

  test("has names of its own, and room as the plan says", async () => {
    expect((await ada.connections.create(organization, named("Store"))).error).toMatchObject({
      code: "connection_name_taken",
      status: 409,
    });
    expect((await ada.connections.create(organization, named("<b>"))).error).toMatchObject({
      code: "invalid_connection_name",
      status: 400,
    });
    must(await ada.connections.create(organization, named("Second")));
    const third = must(await ada.connections.create(organization, named("Third")));
    expect((await ada.connections.create(organization, named("Fourth"))).error).toMatchObject({
      code: "limit_reached",
      status: 402,
      details: { limit: "connections" },
    });
    expect((await ada.connections.remove(third.id)).error).toBeNull();
    expect((await ada.connections.get(third.id)).error?.code).toBe("connection_not_found");
  });

  test("is shown, and deleted, whatever id it was made with", async () => {
    const odd = `${organization.slice(0, 8)}-0000-0000-0000-000000000000`;
    const [kept] = await sql`select id from private.data_keys where organization_id = ${organization}`;
    const made = await ada.supabase.rpc("create_connection", {
      p_organization_id: organization,
      p_connection_id: odd,
      p_details: { ...named("Odd"), password: undefined } as never,
      p_secret: { data_key_id: kept?.["id"], version: 1, ciphertext: "", nonce: "" },
    });
    expect(made.error).toBeNull();
    const { connections } = must(await ada.connections.list(organization));
    expect(connections.map(({ name }) => name)).toContain("Odd");
    expect((await ada.connections.remove(odd)).error).toBeNull();
  });

  test("is tried ten times, and then no more for a while", async () => {
    const owned = must(await mallory.organizations.create({ name: "Scan", slug: uniqueSlug("scan") })).id;
    const tries = await Promise.all(
      Array.from({ length: 14 }, () =>
        // By its name, which the system's resolver knows.
        mallory.connections.testSettings(owned, { ...theirs, host: "localhost" }),
      ),
    );
    for (const { data } of tries) if (data) expect(data).toMatchObject({ ok: true });
    const refused = tries.filter(({ error }) => error?.code === "too_many_tests");
    // A token comes back every six seconds: the machine may be slow.
    expect(refused.length).toBeGreaterThanOrEqual(1);
    expect(tries.length - refused.length).toBeGreaterThanOrEqual(10);
    const [late] = refused;
    expect(late?.error?.status).toBe(429);
    expect(Number(late?.response?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(late?.error?.details).toMatchObject({ retry_after_seconds: expect.any(Number) });
  });

  test("has a key that servers alone wrap anew", async () => {
    const rotate = (apikey: string) =>
      ada.functions.POST("/connections/keys/rotate", { body: {}, headers: { apikey } });
    expect((await rotate(project.publishableKey)).error?.status).toBe(401);
    // Other tests' organizations may have theirs under keys that this backend does not have.
    expect(must(await rotate(project.secretKey))).toMatchObject({ rewrapped: 0, next: null });
  });

  test("leaves its password nowhere in the database", async () => {
    const tables = await sql<{ name: string }[]>`
      select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'private')`;
    for (const { name } of tables) {
      const found = await sql.unsafe(`select 1 from ${name} as t where t::text like '%canary%' limit 1`);
      expect(found, name).toHaveLength(0);
      const encoded = Buffer.from(canary).toString("hex");
      const bytes = await sql.unsafe(`select 1 from ${name} as t where t::text like '%${encoded}%' limit 1`);
      expect(bytes, `${name}, as bytes`).toHaveLength(0);
    }
  });
});
